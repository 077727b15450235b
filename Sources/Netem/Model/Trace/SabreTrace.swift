extension TraceReader {
    static let sabreKeys = ["duration_ms", "bandwidth_kbps", "latency_ms"]

    static func readSabre(_ bytes: [UInt8]) throws(TraceError) -> RateSchedule {
        var json = SabreScanner(bytes)
        var rows = TraceRows()
        try json.expect("[", "the trace is a JSON list, so begin it with [")
        if json.take("]") {
            throw TraceError(
                .empty, line: json.line, "the list is empty; give it at least one period")
        }
        repeat {
            try json.expect("{", "each period is an object, so begin it with {")
            let line = json.line
            var values: [String: Double] = [:]
            repeat {
                let key = try json.string()
                guard sabreKeys.contains(key) else {
                    throw TraceColumns.unknown(key, among: sabreKeys, what: "key", line: json.line)
                }
                guard values[key] == nil else {
                    throw TraceError(.malformed, line: json.line, "the key '\(key)' is there twice")
                }
                try json.expect(":", "a value follows its key after :")
                values[key] = try json.number(key)
            } while json.take(",")
            try json.expect("}", "a period ends with }")
            guard let duration = values["duration_ms"], let rate = values["bandwidth_kbps"] else {
                let missing = values["duration_ms"] == nil ? "duration_ms" : "bandwidth_kbps"
                throw TraceError(
                    .missingColumn, line: line, "the period lacks '\(missing)'; add it")
            }
            guard duration >= 0 else {
                throw TraceError(
                    .negative, line: line, "duration_ms is \(duration); it takes more than 0")
            }
            guard duration <= longestSeconds * 1000 else {
                throw TraceError(
                    .outOfRange, line: line, "duration_ms is \(duration), more than a year")
            }
            let period = RateSchedule.Period(
                durationNanoseconds: 0,
                bitsPerSecond: try rows.rate(rate, unit: 1000, "kbps", line),
                // Sabre's latency is that of a request, which is a round trip.
                delayNanoseconds: try rows.delay(values["latency_ms"] ?? 0, "latency_ms", line) / 2)
            try rows.add(Int64((duration * 1e6).rounded()), period, line: line)
        } while json.take(",")
        try json.expect("]", "the list ends with ]")
        try json.end()
        return try rows.schedule()
    }
}

/// Reads JSON of one shape, a list of flat objects of numbers, and counts its lines.
package struct SabreScanner {
    private let bytes: [UInt8]
    private var position = 0
    package private(set) var line = 1

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x0A: line += 1
            case 0x20, 0x09, 0x0D: break
            default: return
            }
            position += 1
        }
    }

    /// Takes `character` if it comes next.
    package mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else {
            return false
        }
        position += 1
        return true
    }

    package mutating func expect(_ character: Unicode.Scalar, _ rule: String) throws(TraceError) {
        guard take(character) else { throw fault("\(rule); there is \(here)") }
    }

    package mutating func end() throws(TraceError) {
        skipSpace()
        guard position == bytes.count else {
            throw fault("nothing may follow the list; there is \(here)")
        }
    }

    package mutating func string() throws(TraceError) -> String {
        try expect("\"", "a key stands in quotes")
        let start = position
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            guard bytes[position] >= 0x20 else { throw fault("a key does not end on its line") }
            position += 1
        }
        guard position < bytes.count else { throw fault("a key lacks its closing quote") }
        defer { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    package mutating func number(_ key: String) throws(TraceError) -> Double {
        skipSpace()
        let start = position
        while position < bytes.count, !",}] \t\r\n".utf8.contains(bytes[position]) { position += 1 }
        let text = String(decoding: bytes[start..<min(position, start + 64)], as: UTF8.self)
        return try TraceLines.number(text, key, line)
    }

    package func fault(_ message: String) -> TraceError {
        TraceError(.malformed, line: line, message)
    }

    /// Description of the next characters, for messages.
    private var here: String {
        guard position < bytes.count else { return "the end of the file" }
        let end = min(position + 12, bytes.count)
        return
            "'\(String(decoding: bytes[position..<end], as: UTF8.self).prefix { !$0.isNewline })'"
    }
}
