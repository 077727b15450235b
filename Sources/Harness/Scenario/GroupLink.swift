import Foundation
import Netem
public import SimulationKernel
public import Viewer

/// The link of a viewer group, read and checked.
public struct GroupLink: Codable, Sendable, Hashable {
    /// As results show it: a profile, a file's name, or a rate.
    public var name: String
    public var link: ViewerLink
    /// Mean payload rate that it lets through.
    public var payloadRate: Bitrate
    /// One cycle of its trace; viewers begin at seeded places in it.
    public var cycleNanoseconds: Int64

    private init(
        name: String, rate: RateSchedule, delay: DelayModel, loss: LossModel,
        headerBytes: Int = ViewerLink.tcpHeaderBytes
    ) {
        self.name = name
        link = ViewerLink(rate: rate, delay: delay, loss: loss, headerBytes: headerBytes)
        let share = 1448.0 / Double(1448 + headerBytes)
        payloadRate = Bitrate(bitsPerSecond: Int(rate.averageBitsPerSecond * share))
        cycleNanoseconds = rate.periods.count > 1 ? rate.cycleNanoseconds : 0
    }

    /// What a reader of the results has to know of such links.
    static func notes(_ links: [GroupLink]) -> [String] {
        guard let first = links.first(where: { $0.link.headerBytes > 0 }) else { return [] }
        var note =
            "links (\(first.name)…) shape what viewers read from their sockets: the round trips that "
            + "the server's TCP sees are the machine's, not the links'"
        if links.contains(where: { $0.link.loss != .none }) {
            note += "; lost packets show as modelled stalls of a round trip, counted in viewers.csv"
        }
        return [note]
    }

    /// A profile, a rate or a trace file.
    /// - Throws: `InputFault`, `TraceError` or `LinkError`, with the nearest valid name.
    public static func named(
        _ text: String, seed: UInt64 = 1, folder: String = "."
    ) throws -> GroupLink {
        try read(down: text, seed: seed, folder: folder)
    }

    /// A plain limit on the bytes that viewers read.
    public static func rateLimit(_ rate: Bitrate) -> GroupLink {
        GroupLink(
            name: rate.description, rate: RateSchedule(constant: rate), delay: .init(),
            loss: .none, headerBytes: 0)
    }

    /// The link that a group of the scenario names, nil where it names none.
    /// - Parameters:
    ///   - folder: trace files are relative to it.
    ///   - place: where faults are reported.
    static func read(
        _ group: ResolvedObject, seed: UInt64, folder: String, place: String,
        reader: inout ScenarioReader
    ) -> GroupLink? {
        if let rate = group.number("rate_limit") {
            return rateLimit(Bitrate(bitsPerSecond: Int(rate)))
        }
        do {
            if let text = group.text("link") {
                return try read(down: text, seed: seed, folder: folder)
            }
            guard let object = group.object("link") else { return nil }
            try refuseForSockets(object)
            return try read(object, seed: seed, folder: folder)
        } catch {
            reader.report(at: "\(place).link", "\(error)")
            return nil
        }
    }

    private static func read(
        down text: String, seed: UInt64, folder: String
    ) throws -> GroupLink {
        if let profile = LinkProfile.all.first(where: { $0.name == text }) {
            var delay = profile.delay
            // The schedule carries the latency.
            delay.nanoseconds = 0
            return GroupLink(
                name: text, rate: profile.schedule(.down, seed: seed), delay: delay,
                loss: profile.loss)
        }
        let traces = try SimulationInputs.traces(named: text, seed: seed, folder: folder)
        guard traces.count == 1, let trace = traces.first else {
            throw InputFault(message: "'\(text)' is a folder; name one trace file")
        }
        try SimulationInputs.refuseLoss(trace)
        return GroupLink(
            name: trace.name, rate: try trace.value.rateSchedule(), delay: .init(), loss: .none)
    }

    private static func read(
        _ object: ResolvedObject, seed: UInt64, folder: String
    ) throws -> GroupLink {
        let base = try read(down: object.text("down") ?? "", seed: seed, folder: folder)
        let loss = try object.text("loss").map { try LossModel(parsing: $0) }
        let schedule = try base.link.schedule()
        guard let text = object.text("delay") else {
            return GroupLink(
                name: base.name, rate: schedule, delay: base.link.delay,
                loss: loss ?? base.link.loss)
        }
        // A delay of its own replaces the trace's.
        let rate = try RateSchedule(
            periods: schedule.periods.map {
                var period = $0
                period.delayNanoseconds = 0
                return period
            }, wraps: schedule.wraps)
        return GroupLink(
            name: base.name, rate: rate, delay: try DelayModel(parsing: text),
            loss: loss ?? base.link.loss)
    }

    /// What only real packets can do is refused, not left out.
    private static func refuseForSockets(_ object: ResolvedObject) throws(InputFault) {
        let shell = object.text("shell") ?? "socket"
        guard shell == "socket" else {
            throw InputFault(
                message:
                    "viewers of a scenario run behind the socket shell; for the \(shell) shell "
                    + "put a whole program behind a link: millrace link --help")
        }
        for key in ["up", "queue", "reorder", "duplicate", "overhead"] where object[key] != nil {
            throw InputFault(
                message:
                    "the socket shell shapes what viewers read and cannot honour '\(key)'; leave "
                    + "it out, or put a program behind real packets with 'millrace link'")
        }
    }
}
