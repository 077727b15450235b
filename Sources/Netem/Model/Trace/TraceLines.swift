import SimulationKernel

/// The lines of a text that are neither blank nor a comment (`#`).
package struct TraceLines {
    private let bytes: [UInt8]
    private var position = 0
    /// Number of the line returned last, from 1.
    package private(set) var number = 0

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        // The text may begin with a byte order mark.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    package mutating func next() -> (number: Int, text: Substring)? {
        while position < bytes.count {
            var end = position
            while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
            var from = position
            var to = end
            position = end + 1
            number += 1
            while from < to, bytes[from] <= 0x20 { from += 1 }
            while from < to, bytes[to - 1] <= 0x20 { to -= 1 }
            if from == to || bytes[from] == UInt8(ascii: "#") { continue }
            return (number, Substring(decoding: bytes[from..<to], as: UTF8.self))
        }
        return nil
    }

    /// Reads a finite decimal number.
    package static func number(
        _ text: some StringProtocol, _ name: String, _ line: Int
    ) throws(TraceError) -> Double {
        let text = String(text.filter { !$0.isWhitespace })
        guard let value = Double(text), !text.lowercased().contains("x") else {
            throw TraceError(
                .malformed, line: line, "\(name) is '\(text.prefix(40))'; it takes a number")
        }
        guard value.isFinite else {
            throw TraceError(
                .notFinite, line: line, "\(name) is '\(text)'; it takes a finite number")
        }
        return value
    }
}

/// The columns of a CSV trace by their names.
struct TraceColumns {
    static let names = ["t", "kbps", "delay_ms", "loss"]

    let count: Int
    let time: Int
    let rate: Int
    let delay: Int?
    let loss: Int?

    init(_ header: Substring, line: Int) throws(TraceError) {
        let names = header.split(separator: ",", omittingEmptySubsequences: false)
            .map { $0.filter { !$0.isWhitespace } }
        for (i, name) in names.enumerated() {
            guard Self.names.contains(name) else {
                throw Self.unknown(name, among: Self.names, what: "column", line: line)
            }
            guard !names[..<i].contains(name) else {
                throw TraceError(.malformed, line: line, "the column '\(name)' is there twice")
            }
        }
        guard let time = names.firstIndex(of: "t"), let rate = names.firstIndex(of: "kbps") else {
            throw TraceError(
                .missingColumn, line: line,
                "the header lacks '\(names.contains("t") ? "kbps" : "t")'; it takes t,kbps[,delay_ms][,loss]"
            )
        }
        count = names.count
        self.time = time
        self.rate = rate
        delay = names.firstIndex(of: "delay_ms")
        loss = names.firstIndex(of: "loss")
    }

    static func unknown(
        _ name: String, among names: [String], what: String, line: Int
    ) -> TraceError {
        let nearest = NameDistance.nearest(to: name, among: names)
        let hint =
            nearest.map { "did you mean '\($0)'?" }
            ?? "there are \(names.joined(separator: ", "))"
        return TraceError(
            .unknownColumn, line: line, "unknown \(what) '\(name.prefix(40))'; \(hint)")
    }
}

/// Checks fields and gathers periods.
struct TraceRows {
    private(set) var periods: [RateSchedule.Period] = []
    private var firstLine = 0

    /// Converts seconds to nanoseconds.
    func time(_ text: some StringProtocol, _ line: Int) throws(TraceError) -> Int64 {
        let value = try TraceLines.number(text, "the time", line)
        // Traces may state seconds since 1970.
        guard abs(value) <= 4e9 else {
            throw TraceError(.outOfRange, line: line, "the time is \(text) s; times are seconds")
        }
        guard value >= 0 else {
            throw TraceError(.negative, line: line, "the time is \(text) s; it takes 0 or more")
        }
        return Int64((value * 1e9).rounded())
    }

    func rate(
        _ text: some StringProtocol, unit: Double, _ name: String, _ line: Int
    ) throws(TraceError) -> Int64 {
        try rate(TraceLines.number(text, "the rate", line), unit: unit, name, line)
    }

    func rate(_ value: Double, unit: Double, _ name: String, _ line: Int) throws(TraceError)
        -> Int64
    {
        guard value >= 0 else {
            throw TraceError(
                .negative, line: line,
                "the rate is \(value) \(name); it takes 0 (an outage) or more")
        }
        guard value * unit <= TraceReader.fastest else {
            throw TraceError(
                .outOfRange, line: line,
                "the rate is \(value) \(name), more than 1 Tbit/s; is the unit right?")
        }
        return Int64((value * unit).rounded())
    }

    func delay(_ text: some StringProtocol, _ name: String, _ line: Int) throws(TraceError) -> Int64
    {
        try delay(TraceLines.number(text, name, line), name, line)
    }

    func delay(_ value: Double, _ name: String, _ line: Int) throws(TraceError) -> Int64 {
        guard value >= 0 else {
            throw TraceError(.negative, line: line, "\(name) is \(value); it takes 0 or more")
        }
        guard value <= 86_400_000 else {
            throw TraceError(.outOfRange, line: line, "\(name) is \(value); it takes up to a day")
        }
        return Int64((value * 1e6).rounded())
    }

    func loss(_ text: some StringProtocol, _ line: Int) throws(TraceError) -> Double {
        let isPercent = text.hasSuffix("%")
        let number = try TraceLines.number(isPercent ? text.dropLast() : text[...], "loss", line)
        let value = isPercent ? number / 100 : number
        guard value >= 0 else {
            throw TraceError(
                .negative, line: line, "loss is \(text); it takes 0 to 1, or 0% to 100%")
        }
        guard value <= 1 else {
            throw TraceError(
                .outOfRange, line: line,
                "loss is \(text); it takes 0 to 1, or 0% to 100% with the sign")
        }
        return value
    }

    mutating func add(
        _ duration: Int64, _ bitsPerSecond: Int64, line: Int
    ) throws(TraceError) {
        try add(duration, .init(durationNanoseconds: 0, bitsPerSecond: bitsPerSecond), line: line)
    }

    mutating func add(
        _ duration: Int64, _ period: RateSchedule.Period, line: Int
    ) throws(TraceError) {
        guard duration >= 0 else {
            throw TraceError(
                .notMonotone, line: line,
                "the time is before that of the line above; sort the lines")
        }
        guard duration > 0 else {
            throw TraceError(
                .zeroLength, line: line,
                "the period lasts no time; remove the line or mend its time")
        }
        if periods.isEmpty { firstLine = line }
        var period = period
        period.durationNanoseconds = duration
        periods.append(period)
    }

    func schedule() throws(TraceError) -> RateSchedule {
        guard !periods.isEmpty else {
            throw TraceError(.empty, "the trace has no line with a rate; add at least one")
        }
        guard periods.contains(where: { $0.bitsPerSecond > 0 }) else {
            throw TraceError(
                .allZero, line: firstLine,
                "every rate is 0, so that nothing ever passes; give at least one line a rate")
        }
        do throws(RateScheduleError) {
            return try RateSchedule(periods: periods)
        } catch {
            throw TraceError(.outOfRange, error.description)
        }
    }
}
