package import ABR
import Foundation
import Netem
import Scenario

/// Reads the folders of the compatibility modes. Every fault is a `TraceError` with file and line,
/// or an `InputFault`.
///
/// The common readers check the traces. The values are then taken exactly as they are written,
/// because link schedules hold whole bits and nanoseconds, and the reference programs use
/// floating-point numbers.
package enum CompatibilityInputs {
    private struct Period: Decodable {
        var duration: Double
        var bandwidth: Double
        var latency: Double?

        private enum CodingKeys: String, CodingKey {
            case duration = "duration_ms"
            case bandwidth = "bandwidth_kbps"
            case latency = "latency_ms"
        }
    }

    /// Reads Sabre's network traces: every `*.json` file of a folder.
    package static func sabreTraces(
        folder: String
    ) throws -> [SabreCompatibility.Named<[SabrePeriod]>] {
        try files(folder, suffix: ".json", what: "traces").map { path in
            let bytes = try TraceReader.contents(ofFile: path)
            _ = try TraceReader.read(bytes, file: path, format: .sabre)
            let periods = try JSONDecoder().decode([Period].self, from: Data(bytes))
            return .init(
                name: InputFiles.name(path),
                value: periods.map {
                    SabrePeriod(
                        duration: $0.duration, bandwidth: $0.bandwidth,
                        latency: $0.latency ?? 0)
                })
        }
    }

    /// Reads Sabre's titles: every `*.json` file of a folder.
    package static func sabreTitles(folder: String) throws -> [Title] {
        try files(folder, suffix: ".json", what: "titles").map { try TitleReader.read(path: $0) }
    }

    /// Reads Pensieve's cooked traces: every file of a folder, named with its extension.
    package static func pensieveTraces(
        folder: String
    ) throws -> [SabreCompatibility.Named<[PensieveSample]>] {
        try files(folder, suffix: "", what: "traces").map { path in
            let bytes = try TraceReader.contents(ofFile: path)
            _ = try TraceReader.read(bytes, file: path, format: .pensieve)
            var lines = TraceLines(bytes)
            var samples: [PensieveSample] = []
            while let line = lines.next() {
                let fields = line.text.split(whereSeparator: \.isWhitespace)
                samples.append(
                    PensieveSample(
                        time: try TraceLines.number(fields[0], "the time", line.number),
                        bandwidth: try TraceLines.number(fields[1], "the rate", line.number)))
            }
            return .init(name: URL(fileURLWithPath: path).lastPathComponent, value: samples)
        }
    }

    /// Reads Pensieve's segment sizes in bytes, `[rendition][segment]`, from the files
    /// `video_size_0` … `video_size_5`.
    package static func pensieveSizes(folder: String) throws -> [[Double]] {
        var sizes: [[Double]] = []
        for rendition in PensieveCompatibility.bitrates.indices {
            let path = "\(folder)/video_size_\(rendition)"
            var lines = TraceLines(try TraceReader.contents(ofFile: path))
            var column: [Double] = []
            while let line = lines.next() {
                let size = Int(line.text) ?? 0
                guard size > 0 else {
                    throw InputFault(
                        message: "\(path):\(line.number): the size is '\(line.text.prefix(40))'; "
                            + "it takes whole bytes, more than 0")
                }
                column.append(Double(size))
            }
            guard !column.isEmpty, column.count == sizes.first?.count ?? column.count else {
                throw InputFault(
                    message: "\(path): \(column.count) sizes, video_size_0 has "
                        + "\(sizes.first?.count ?? 0); every rendition needs one per segment")
            }
            sizes.append(column)
        }
        return sizes
    }

    private static func files(_ folder: String, suffix: String, what: String) throws -> [String] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder),
            isFolder.boolValue
        else {
            throw InputFault(message: "\(folder): is no folder; give the folder of the \(what)")
        }
        let files = try InputFiles.inFolder(folder).filter { $0.hasSuffix(suffix) }
        guard !files.isEmpty else {
            throw InputFault(
                message: "\(folder): has no \(what)\(suffix.isEmpty ? "" : " (*\(suffix))")")
        }
        return files
    }
}
