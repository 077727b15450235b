import Foundation

/// A results directory, read back. Missing CSV files read as empty.
public struct RunResults: Sendable {
    public var path: String
    public var manifest: Manifest
    public var summary: Summary
    public var renditions: [RenditionRow]
    public var viewers: [ViewerRow]
    public var delay: [DelayRow]
    public var processes: [ProcessRow]
    public var wire: [WireRow]
    public var probeFrames: [ProbeFrameRow]
    /// Requests of adaptive viewers.
    public var segments: [SegmentRow]
    /// Comparison with a simulation, if one was made.
    public var fidelity: [FidelityRow]
    public var edges: [EdgeRow] = []

    /// - Throws: `ResultsError` if the directory has no readable manifest.
    public init(path: String) throws(ResultsError) {
        self.path = path
        manifest = try Self.json(path, "manifest.json")
        summary = try Self.json(path, "summary.json")
        renditions = Self.rows(path)
        viewers = Self.rows(path)
        delay = Self.rows(path)
        processes = Self.rows(path)
        wire = Self.rows(path)
        probeFrames = Self.rows(path)
        segments = Self.rows(path)
        fidelity = Self.rows(path)
        edges = Self.rows(path)
    }

    public init(manifest: Manifest, summary: Summary) {
        path = ""
        (self.manifest, self.summary) = (manifest, summary)
        (renditions, viewers, delay) = ([], [], [])
        (processes, wire, probeFrames) = ([], [], [])
        (segments, fidelity) = ([], [])
    }

    private static func rows<Row: CSVRow>(_ path: String) -> [Row] {
        let url = URL(fileURLWithPath: "\(path)/\(Row.fileName)")
        guard let data = try? Data(contentsOf: url) else { return [] }
        return Row.read(csv: String(decoding: data, as: UTF8.self))
    }

    private static func json<Value: Decodable>(
        _ path: String, _ name: String
    ) throws(ResultsError) -> Value {
        let file = "\(path)/\(name)"
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: file)) else {
            throw ResultsError(
                path: file, message: "cannot be read; give a directory that `millrace run` wrote")
        }
        do {
            return try ResultsJSON.decoder().decode(Value.self, from: data)
        } catch {
            throw ResultsError(path: file, message: "is not what this version writes: \(error)")
        }
    }
}
