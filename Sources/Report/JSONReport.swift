public import Results

/// The run as one JSON document: manifest, summary and the rows per rendition.
public struct JSONReport: Encodable, Sendable {
    /// Figures of one row of `renditions.csv`, with its column names.
    private struct Rendition: Encodable {
        var stream: String
        var rendition: String
        var vantage: String
        var `protocol`: String
        var viewers: Int?
        var wireKbps: Double?
        var payloadKbps: Double?
        var delayP50Ms: Double?
        var delayP90Ms: Double?
        var delayP99Ms: Double?
        var framesExpected: Int?
        var framesReceived: Int?
        var retransmittedBytes: Int?
        var viewerShare: Double?
        var cpuSPerMediaS: Double?
        var encoderDelayP50Ms: Double?
        var encoderDelayP99Ms: Double?
        var stampsExpected: Int?
        var stampsFound: Int?
        var muxOverhead: Double?
        var ingestDelayP50Ms: Double?
        var packagerDelayP50Ms: Double?
        var packagerDelayP99Ms: Double?
        var ssim: Double?
        var psnrDb: Double?
        var qualityFrames: Int?

        init(_ row: RenditionRow) {
            (stream, rendition) = (row.stream, row.rendition)
            (vantage, `protocol`) = (row.vantage, row.playProtocol)
            viewers = row.viewers
            wireKbps = row.wireKilobits
            payloadKbps = row.payloadKilobits
            delayP50Ms = row.delayP50Milliseconds
            delayP90Ms = row.delayP90Milliseconds
            delayP99Ms = row.delayP99Milliseconds
            framesExpected = row.framesExpected
            framesReceived = row.framesReceived
            retransmittedBytes = row.retransmittedBytes
            viewerShare = row.viewerShare
            cpuSPerMediaS = row.cpuSecondsPerMediaSecond
            encoderDelayP50Ms = row.encoderDelayP50Milliseconds
            encoderDelayP99Ms = row.encoderDelayP99Milliseconds
            stampsExpected = row.stampsExpected
            stampsFound = row.stampsFound
            muxOverhead = row.muxOverhead
            ingestDelayP50Ms = row.ingestDelayP50Milliseconds
            packagerDelayP50Ms = row.packagerDelayP50Milliseconds
            packagerDelayP99Ms = row.packagerDelayP99Milliseconds
            ssim = row.ssim
            psnrDb = row.psnrDecibels
            qualityFrames = row.qualityFrames
        }
    }

    private var manifest: Manifest
    private var summary: Summary
    private var renditions: [Rendition]
    private var resultsDirectory: String

    public init(_ results: RunResults) {
        manifest = results.manifest
        summary = results.summary
        renditions = results.renditions.map(Rendition.init)
        resultsDirectory = results.path
    }

    /// Encodes the run with snake-case keys, sorted.
    ///
    /// - Throws: Only if a figure is not finite.
    public func text() throws -> String { try ResultsJSON.text(self) }
}
