import Foundation
import SimulationKernel

/// Reads traces of link capacity. All of them repeat.
public enum TraceReader {
    /// Size of the largest file that is read.
    public static let largestFileBytes = 64 << 20
    /// The largest rate in bit/s.
    static let fastest = 1e12
    /// The longest time in seconds (a year).
    static let longestSeconds = 366.0 * 86_400

    /// - Parameters:
    ///   - bytes: the whole file.
    ///   - file: name of the file, for messages; its extension may determine the format.
    ///   - format: nil = the name and the content determine it.
    public static func read(
        _ bytes: [UInt8], file: String, format: TraceFormat? = nil
    ) throws(TraceError) -> LinkTrace {
        guard bytes.count <= largestFileBytes else { throw tooLarge(bytes.count, file) }
        do throws(TraceError) {
            let known: TraceFormat
            if let format { known = format } else { known = try detect(bytes, file: file) }
            switch known {
            case .mahimahi: return .delivery(try readMahimahi(bytes))
            case .sabre: return .schedule(try readSabre(bytes))
            case .pensieve: return .schedule(try readPensieve(bytes))
            case .csv: return .schedule(try readCSV(bytes))
            }
        } catch {
            var error = error
            error.file = file
            throw error
        }
    }

    /// Reads a regular file. Its size is checked first.
    public static func read(
        path: String, format: TraceFormat? = nil
    ) throws(TraceError) -> LinkTrace {
        try read(contents(ofFile: path), file: path, format: format)
    }

    /// Returns the bytes of a regular file of at most `largestFileBytes`.
    public static func contents(ofFile path: String) throws(TraceError) -> [UInt8] {
        do {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
            guard attributes[.type] as? FileAttributeType == .typeRegular else {
                throw TraceError(
                    .unreadable, file: path, "is not a regular file; give the trace as a file")
            }
            let size = (attributes[.size] as? NSNumber)?.intValue ?? 0
            guard size <= largestFileBytes else { throw tooLarge(size, path) }
            return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        } catch let error as TraceError {
            throw error
        } catch {
            throw TraceError(
                .unreadable, file: path,
                "cannot be read: \((error as NSError).localizedDescription); check path and permissions"
            )
        }
    }

    private static func tooLarge(_ size: Int, _ file: String) -> TraceError {
        TraceError(
            .tooLarge, file: file,
            "has \(size) bytes, a trace takes at most \(largestFileBytes) (64 MiB); cut it, it repeats"
        )
    }

    /// Determines the format of a file by its extension (`json`, `csv`) or by its first line.
    public static func detect(_ bytes: [UInt8], file: String) throws(TraceError) -> TraceFormat {
        if file.lowercased().hasSuffix(".json") { return .sabre }
        if file.lowercased().hasSuffix(".csv") { return .csv }
        var lines = TraceLines(bytes)
        guard let first = lines.next() else {
            throw TraceError(.empty, "the trace is empty; it needs at least one line")
        }
        if first.text.hasPrefix("[") || first.text.hasPrefix("{") { return .sabre }
        if first.text.contains(",") { return .csv }
        let fields = first.text.split(whereSeparator: \.isWhitespace)
        if fields.allSatisfy({ Double($0) != nil }) {
            if fields.count == 1 { return .mahimahi }
            if fields.count == 2 { return .pensieve }
        }
        throw TraceError(
            .unknownFormat, line: first.number,
            "'\(first.text.prefix(40))' is no line of a trace; formats are mahimahi (milliseconds), "
                + "pensieve (seconds and Mbit/s), sabre (JSON) and csv (header t,kbps)")
    }

    static func readMahimahi(_ bytes: [UInt8]) throws(TraceError) -> DeliveryTrace {
        var lines = TraceLines(bytes)
        var times: [Int64] = []
        var numbers: [Int] = []
        while let line = lines.next() {
            guard let time = Int64(line.text) else {
                let value = try TraceLines.number(line.text, "the timestamp", line.number)
                throw TraceError(
                    value < 0 ? .negative : .malformed, line: line.number,
                    "the timestamp is '\(line.text)'; it takes whole milliseconds, 0 or more")
            }
            times.append(time)
            numbers.append(line.number)
        }
        do throws(TraceError) {
            return try DeliveryTrace(milliseconds: times)
        } catch {
            var error = error
            if error.line > 0 { error.line = numbers[error.line - 1] }
            throw error
        }
    }

    static func readPensieve(_ bytes: [UInt8]) throws(TraceError) -> RateSchedule {
        var lines = TraceLines(bytes)
        var rows = TraceRows()
        var last: Int64?
        while let line = lines.next() {
            let fields = line.text.split(whereSeparator: \.isWhitespace)
            guard fields.count == 2 else {
                throw TraceError(
                    .malformed, line: line.number,
                    "the line has \(fields.count) fields; it takes two, seconds and Mbit/s")
            }
            let time = try rows.time(fields[0], line.number)
            let rate = try rows.rate(fields[1], unit: 1e6, "Mbit/s", line.number)
            if let last { try rows.add(time - last, rate, line: line.number) }
            last = time
        }
        if last != nil, rows.periods.isEmpty {
            throw TraceError(
                .zeroLength, line: lines.number,
                "the trace has one line and so lasts no time; add a second one")
        }
        return try rows.schedule()
    }

    static func readCSV(_ bytes: [UInt8]) throws(TraceError) -> RateSchedule {
        var lines = TraceLines(bytes)
        guard let header = lines.next() else {
            throw TraceError(.empty, "the trace is empty; it needs a header t,kbps and lines")
        }
        let columns = try TraceColumns(header.text, line: header.number)
        var rows = TraceRows()
        var last: (time: Int64, period: RateSchedule.Period, line: Int)?
        while let line = lines.next() {
            let fields = line.text.split(separator: ",", omittingEmptySubsequences: false)
            guard fields.count == columns.count else {
                throw TraceError(
                    .malformed, line: line.number,
                    "the line has \(fields.count) fields, the header \(columns.count)")
            }
            let time = try rows.time(fields[columns.time], line.number)
            let period = RateSchedule.Period(
                durationNanoseconds: 0,
                bitsPerSecond: try rows.rate(fields[columns.rate], unit: 1e3, "kbps", line.number),
                delayNanoseconds: try columns.delay.map { column throws(TraceError) in
                    try rows.delay(fields[column], "delay_ms", line.number)
                } ?? 0,
                loss: try columns.loss.map { column throws(TraceError) in
                    try rows.loss(fields[column], line.number)
                } ?? 0)
            if let last { try rows.add(time - last.time, last.period, line: line.number) }
            last = (time, period, line.number)
        }
        if let last {
            let duration = rows.periods.last?.durationNanoseconds ?? 1_000_000_000
            try rows.add(duration, last.period, line: last.line)
        }
        return try rows.schedule()
    }
}
