public import Netem
import SimulationKernel

/// Reads titles: Sabre's JSON (`segment_duration_ms`, `bitrates_kbps`, `segment_sizes_bits`), or
/// CSV with a line `segment_duration_ms,4000`, a line `bitrates_kbps,264,878,…` and then a line of
/// sizes in bits per segment.
///
/// JSON may also hold `heights` (pixels) and `qualities`, one value per rendition.
public enum TitleReader {
    private static let keys = [
        "segment_duration_ms", "bitrates_kbps", "segment_sizes_bits", "heights", "qualities",
    ]

    private struct Draft {
        var duration: Double?
        var bitrates: [Double]?
        var sizes: [[Double]] = []
        var lines: [Int] = []
        var heights: [Double] = []
        var qualities: [Double] = []
    }

    /// - Throws: `TraceError` with file and line.
    public static func read(path: String) throws(TraceError) -> Title {
        try read(TraceReader.contents(ofFile: path), file: path)
    }

    /// - Parameter file: name for messages; the title is named after it.
    public static func read(_ bytes: [UInt8], file: String) throws(TraceError) -> Title {
        do throws(TraceError) {
            let isJSON = bytes.first { $0 > 0x20 } == UInt8(ascii: "{")
            let draft: Draft
            if isJSON { draft = try readJSON(bytes) } else { draft = try readCSV(bytes) }
            return try title(draft, name: name(of: file))
        } catch {
            var error = error
            error.file = file
            throw error
        }
    }

    private static func name(of file: String) -> String {
        let last = file.split(separator: "/").last.map(String.init) ?? file
        guard let dot = last.lastIndex(of: "."), dot != last.startIndex else { return last }
        return String(last[..<dot])
    }

    private static func title(_ draft: Draft, name: String) throws(TraceError) -> Title {
        guard let duration = draft.duration else {
            throw TraceError(.malformed, "the title lacks segment_duration_ms; add it")
        }
        guard let bitrates = draft.bitrates else {
            throw TraceError(.malformed, "the title lacks bitrates_kbps; add it")
        }
        guard draft.heights.allSatisfy({ $0 == $0.rounded() && (0...100_000).contains($0) }) else {
            throw TraceError(.outOfRange, "heights must be whole pixels from 0 to 100000")
        }
        do throws(TitleError) {
            return try Title(
                name: name, segmentDuration: duration, bitrates: bitrates, sizes: draft.sizes,
                heights: draft.heights.map { Int($0) }, qualities: draft.qualities)
        } catch {
            let line = error.segment.map { draft.lines[$0] } ?? 0
            throw TraceError(.outOfRange, line: line, error.description)
        }
    }

    // MARK: JSON

    private static func readJSON(_ bytes: [UInt8]) throws(TraceError) -> Draft {
        var json = SabreScanner(bytes)
        var draft = Draft()
        var seen: Set<String> = []
        try json.expect("{", "the title is a JSON object, so begin it with {")
        repeat {
            let key = try json.string()
            guard keys.contains(key) else {
                let nearest = NameDistance.nearest(to: key, among: keys)
                let hint =
                    nearest.map { "did you mean '\($0)'?" }
                    ?? "keys are \(keys.joined(separator: ", "))"
                throw TraceError(
                    .unknownColumn, line: json.line, "unknown key '\(key)'; \(hint)")
            }
            guard seen.insert(key).inserted else {
                throw json.fault("the key '\(key)' is there twice")
            }
            try json.expect(":", "a value follows its key after :")
            switch key {
            case "segment_duration_ms": draft.duration = try json.number(key)
            case "bitrates_kbps": draft.bitrates = try list(&json, key)
            case "heights": draft.heights = try list(&json, key)
            case "qualities": draft.qualities = try list(&json, key)
            default: try readSizes(&json, &draft)
            }
        } while json.take(",")
        try json.expect("}", "the title ends with }")
        try json.end()
        return draft
    }

    private static func list(
        _ json: inout SabreScanner, _ key: String
    ) throws(TraceError) -> [Double] {
        var values: [Double] = []
        try json.expect("[", "\(key) is a list, so begin it with [")
        if json.take("]") { return values }
        repeat { values.append(try json.number(key)) } while json.take(",")
        try json.expect("]", "\(key) ends with ]")
        return values
    }

    private static func readSizes(
        _ json: inout SabreScanner, _ draft: inout Draft
    ) throws(TraceError) {
        try json.expect("[", "segment_sizes_bits is a list of lists, so begin it with [")
        if json.take("]") { return }
        repeat {
            let row = try list(&json, "segment_sizes_bits")
            draft.lines.append(json.line)
            draft.sizes.append(row)
        } while json.take(",")
        try json.expect("]", "segment_sizes_bits ends with ]")
    }

    // MARK: CSV

    private static func readCSV(_ bytes: [UInt8]) throws(TraceError) -> Draft {
        var lines = TraceLines(bytes)
        var draft = Draft()
        while let line = lines.next() {
            let fields = line.text.split(separator: ",", omittingEmptySubsequences: false)
            let label = fields[0].filter { !$0.isWhitespace }
            func numbers(_ from: Int) throws(TraceError) -> [Double] {
                var values: [Double] = []
                for field in fields[from...] {
                    values.append(try TraceLines.number(field, "the value", line.number))
                }
                return values
            }
            switch label {
            case "segment_duration_ms": draft.duration = try numbers(1).first
            case "bitrates_kbps": draft.bitrates = try numbers(1)
            case "heights": draft.heights = try numbers(1)
            case "qualities": draft.qualities = try numbers(1)
            default:
                guard draft.bitrates != nil else {
                    throw TraceError(
                        .malformed, line: line.number,
                        "the title begins with lines segment_duration_ms,… and bitrates_kbps,…; "
                            + "there is '\(line.text.prefix(40))'")
                }
                draft.sizes.append(try numbers(0))
                draft.lines.append(line.number)
            }
        }
        return draft
    }
}
