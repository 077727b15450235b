import SimulationKernel

/// Entry points for a fuzzer: no input may trap, and no trace may contradict itself.
public enum NetemFuzz {
    /// Reads a trace in each format, and uses it at flow level and at packet level.
    public static func fuzzTrace(_ bytes: UnsafeRawBufferPointer) {
        let input = Array(bytes)
        for format in [nil] + TraceFormat.allCases.map(Optional.some) {
            guard let trace = try? TraceReader.read(input, file: "fuzz", format: format) else {
                continue
            }
            if let schedule = try? trace.rateSchedule(startOffsetNanoseconds: 12_345) {
                flow(schedule)
            }
            guard
                var link = try? LinkModel(
                    LinkSpec(rate: trace.rateModel, queue: .dropTail(.packets(4))), seed: 1)
            else { preconditionFailure("a trace makes no link") }
            for i in 0..<16 {
                link.arrive(id: UInt64(i), bytes: 1500, at: Int64(i) * 3_000_000)
                while link.next(until: Int64(i) * 3_000_000) != nil {}
            }
            while link.next(until: LinkModel.latestNanoseconds) != nil {}
            precondition(link.counters.arrived.packets == 16)
        }
    }

    private static func flow(_ schedule: RateSchedule) {
        var cursor = RateSchedule.Cursor()
        var seconds = 0.0
        for bits in [1.0, 12_000, 1e7, 1e10] {
            if let instant = schedule.instant(ofBits: bits, from: 7) {
                let wanted = Int128(bits) * 1_000_000_000
                precondition(schedule.nanobits(from: 7, to: instant) >= wanted, "too early")
                precondition(schedule.nanobits(from: 7, to: instant - 1) < wanted, "too late")
            }
            let end = cursor.seconds(toMove: bits, from: seconds, in: schedule)
            precondition(end >= seconds, "time goes back")
            // Later times come from a trace of a bit in years, which is skipped.
            guard end < 1e9 else { return }
            precondition(cursor.nextChange(after: end, in: schedule) > end, "no change ahead")
            seconds = end
        }
    }

    /// Reads a link's log and replays it.
    public static func fuzzLog(_ bytes: UnsafeRawBufferPointer) {
        guard let log = try? LinkLog(parsing: Array(bytes), file: "fuzz") else { return }
        let spec = LinkSpec(
            rate: .constant(.init(kilobitsPerSecond: 1000)), queue: .coDel(limit: .packets(9)))
        guard let replay = try? LinkReplay(log, through: spec) else {
            preconditionFailure("a log makes no replay")
        }
        precondition(replay.arrivals > 0)
    }
}
