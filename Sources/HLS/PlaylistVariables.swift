/// Variables that EXT-X-DEFINE of a playlist may import, and those that it has defined (rfc8216bis,
/// 4.3 and 4.4.2.3).
public struct PlaylistVariables: Sendable, Hashable {
    /// Values by name.
    public private(set) var defined: [String: String] = [:]
    /// Variables of the multivariant playlist, which IMPORT may name.
    private var importable: [String: String] = [:]
    /// Parameters of the playlist's URL, percent-decoded, which QUERYPARAM may name.
    private var parameters: [String: String] = [:]

    /// Largest number of definitions of one playlist.
    static let limit = 1_000

    public init() {}

    /// - Parameters:
    ///   - imported: Variables that the multivariant playlist defines.
    ///   - query: Parameters of the URL from which the playlist came, percent-decoded.
    public init(imported: [String: String], query: [String: String] = [:]) {
        importable = imported
        parameters = query
    }

    /// Whether no value can come from outside the playlist's text.
    public var isEmpty: Bool { importable.isEmpty && parameters.isEmpty }

    /// Returns the lines with the values in place of `{$name}` and without the lines of
    /// EXT-X-DEFINE.
    ///
    /// A reference stands for the value that a line before it defines.
    mutating func substituted(
        _ lines: [PlaylistLine], limits: PlaylistLimits, faults: inout PlaylistFaults
    ) -> [PlaylistLine] {
        guard lines.contains(where: { $0.name == "EXT-X-DEFINE" || Self.holdsReference($0) })
        else { return lines }
        var result: [PlaylistLine] = []
        result.reserveCapacity(lines.count)
        for line in lines {
            do throws(PlaylistError) {
                let line = Self.holdsReference(line) ? try replaced(line, limits) : line
                if line.name == "EXT-X-DEFINE" {
                    try define(line, limits)
                } else {
                    result.append(line)
                }
            } catch {
                faults.add(error)
                // If a segment were dropped, the segments after it would get other numbers.
                if line.name != "EXT-X-DEFINE" { result.append(line) }
            }
        }
        return result
    }

    private static func holdsReference(_ line: PlaylistLine) -> Bool {
        var bytes = line.value.utf8[...]
        while let brace = bytes.firstIndex(of: UInt8(ascii: "{")) {
            bytes = bytes[bytes.index(after: brace)...]
            if bytes.first == UInt8(ascii: "$") { return line.name != "EXTINF" }
        }
        return false
    }

    private mutating func define(
        _ line: PlaylistLine, _ limits: PlaylistLimits
    ) throws(PlaylistError) {
        let attributes = try TagAttributes(line, limits: limits)
        let name: String
        let value: String
        if let own = attributes.string("NAME") {
            name = own
            value = try attributes.required("VALUE")
        } else if let imported = attributes.string("IMPORT") {
            name = imported
            guard let known = importable[imported] else {
                throw PlaylistError(
                    .undefinedVariable, line: line.number,
                    "EXT-X-DEFINE imports '\(imported)', which the multivariant playlist does not define"
                )
            }
            value = known
        } else if let parameter = attributes.string("QUERYPARAM") {
            name = parameter
            guard let known = parameters[parameter] else {
                throw PlaylistError(
                    .undefinedVariable, line: line.number,
                    "EXT-X-DEFINE takes the query parameter '\(parameter)', which the playlist's URL does not have"
                )
            }
            value = known
        } else {
            throw PlaylistError(
                .missing, line: line.number, "EXT-X-DEFINE has no NAME, IMPORT or QUERYPARAM")
        }
        guard defined[name] == nil else {
            throw PlaylistError(
                .malformed, line: line.number, "EXT-X-DEFINE defines '\(name)' twice")
        }
        guard defined.count < Self.limit else {
            throw PlaylistError(
                .tooLarge, line: line.number, "over \(Self.limit) variables are defined")
        }
        defined[name] = value
    }

    private func replaced(
        _ line: PlaylistLine, _ limits: PlaylistLimits
    ) throws(PlaylistError) -> PlaylistLine {
        var result = ""
        var rest = line.value[...]
        while let brace = rest.firstIndex(of: "{") {
            result += rest[..<brace]
            let inside = rest[rest.index(after: brace)...]
            guard inside.first == "$", let end = inside.firstIndex(of: "}"),
                inside.dropFirst().prefix(upTo: end).utf8.allSatisfy(Self.mayStandInName)
            else {
                result += "{"
                rest = inside
                continue
            }
            let name = String(inside[inside.index(after: inside.startIndex)..<end])
            guard let value = defined[name] else {
                throw PlaylistError(
                    .undefinedVariable, line: line.number,
                    "'{$\(name)}' stands before any EXT-X-DEFINE of that name")
            }
            result += value
            guard result.utf8.count <= limits.lineBytes else {
                throw PlaylistError(
                    .tooLarge, line: line.number,
                    "with its variables the line has over \(limits.lineBytes) bytes")
            }
            rest = inside[inside.index(after: end)...]
        }
        return PlaylistLine(number: line.number, name: line.name, value: (result + rest)[...])
    }

    private static func mayStandInName(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte)
            || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x5F
    }
}

/// Faults of a playlist's lines, up to a limit.
struct PlaylistFaults {
    /// Largest number of faults kept; a text of another kind breaks a rule in each line.
    static let limit = 100
    private(set) var errors: [PlaylistError] = []

    mutating func add(_ error: PlaylistError) {
        if errors.count < Self.limit { errors.append(error) }
    }
}
