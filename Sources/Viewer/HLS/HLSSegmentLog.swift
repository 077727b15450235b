import ABR

/// Record of a session's segment requests, and the player's state at its latest decision.
struct HLSSegmentLog {
    private let limit: Int
    private(set) var records: [HLSSegmentRecord] = []
    /// Time at which the latest segment, or its first part, was requested (ms of the session).
    private(set) var requestedAt = 0.0
    private var bufferBefore = 0.0
    private var estimateBefore = Double.nan

    init(limit: Int) { self.limit = limit }

    /// Notes that the player has decided on a segment.
    mutating func decided(_ player: Player?, at time: Double) {
        requestedAt = time
        bufferBefore = player?.bufferLevel ?? 0
        estimateBefore = player?.state.throughput ?? .nan
    }

    /// Notes that the request is sent. Resources that were fetched for the segment before do not
    /// count in the segment's time.
    mutating func requested(at time: Double) { requestedAt = time }

    /// - Parameters:
    ///   - firstByte: NaN if no byte came.
    ///   - transfer: time from the first byte to the last, ms.
    mutating func add(
        _ segment: Int, rendition: Int, sequence: Int, _ player: Player?, firstByte: Double,
        transfer: Double, bytes: Int, size: Int?, abandonedFor: Int? = nil, isCut: Bool = false
    ) {
        guard records.count < limit else { return }
        let mediaTime =
            player.map { $0.epoch + Double(segment) * $0.title.segmentDuration } ?? 0
        records.append(
            HLSSegmentRecord(
                sequence: sequence, mediaTime: mediaTime, rendition: rendition,
                requested: requestedAt,
                timeToFirstByte: firstByte.isNaN ? nil : firstByte - requestedAt,
                transferTime: transfer, bytes: bytes, size: size, bufferBefore: bufferBefore,
                bufferAfter: player?.bufferLevel ?? 0,
                estimate: estimateBefore.isNaN ? nil : estimateBefore, abandonedFor: abandonedFor,
                isCut: isCut))
    }
}
