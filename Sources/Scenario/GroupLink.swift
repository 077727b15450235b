import Foundation
package import Netem
package import SimulationKernel
package import Viewer

/// The link of a viewer group, read and checked.
package struct GroupLink: Codable, Sendable, Hashable {
    /// What shapes, and what it needs to know.
    package enum Shell: Codable, Sendable, Hashable {
        /// The viewer's own reads.
        case socket(ViewerLink)
        /// A network namespace's packets.
        case packet(LinkDescription)
    }

    /// As results show it: a profile, a file's name, or a rate.
    package var name: String
    package var shell: Shell
    /// Mean payload rate that it lets through.
    package var payloadRate: Bitrate
    /// One cycle of its trace; viewers begin at seeded places in it.
    package var cycleNanoseconds: Int64

    package var socket: ViewerLink? {
        if case .socket(let link) = shell { link } else { nil }
    }

    package var packet: LinkDescription? {
        if case .packet(let link) = shell { link } else { nil }
    }

    private init(
        name: String, rate: RateSchedule, delay: DelayModel, loss: LossModel,
        headerBytes: Int = TCPSegment.headerBytes
    ) {
        self.name = name
        shell = .socket(
            ViewerLink(rate: rate, delay: delay, loss: loss, headerBytes: headerBytes))
        let share = TCPSegment(overheadBytes: headerBytes).payloadShare
        payloadRate = Bitrate(bitsPerSecond: Int(rate.averageBitsPerSecond * share))
        cycleNanoseconds = rate.periods.count > 1 ? rate.cycleNanoseconds : 0
    }

    /// A link of a socket as it is.
    init(name: String, _ link: ViewerLink) {
        self.init(
            name: name, rate: link.rate, delay: link.delay, loss: link.loss,
            headerBytes: link.headerBytes)
    }

    /// - Throws: whatever is wrong with one of its directions.
    private init(name: String, packets link: LinkDescription, seed: UInt64) throws {
        let spec = try link.spec(.down, seed: seed)
        _ = try link.spec(.up, seed: seed)
        self.name = "\(name) packets"
        shell = .packet(link)
        let size = TCPSegment.packetBytes + spec.overhead.bytes
        let rate = spec.rate.averageBitsPerSecond ?? Double(1 << 50)
        payloadRate = Bitrate(
            bitsPerSecond: Int(rate * Double(TCPSegment.payloadBytes) / Double(size)))
        cycleNanoseconds = spec.rate.cycleNanoseconds
    }

    /// What a reader of the results has to know of such links.
    package static func notes(_ links: [GroupLink]) -> [String] {
        let links = links.compactMap { link in link.socket.map { (link.name, $0) } }
        guard let (first, _) = links.first(where: { $0.1.headerBytes > 0 }) else { return [] }
        var note =
            "socket links (\(first)\(links.count > 1 ? "…" : "")) shape what viewers read from their sockets: the round trips that "
            + "the server's TCP sees are the machine's, not the links'"
        if links.contains(where: { $0.1.loss != .none }) {
            note += "; lost packets show as modelled stalls of a round trip, counted in viewers.csv"
        }
        return [note]
    }

    /// A profile, a rate or a trace file.
    /// - Throws: `InputFault`, `TraceError` or `LinkError`, with the nearest valid name.
    package static func named(
        _ text: String, seed: UInt64 = 1, folder: String = "."
    ) throws -> GroupLink {
        try read(down: text, seed: seed, folder: folder)
    }

    /// A plain limit on the bytes that viewers read.
    package static func rateLimit(_ rate: Bitrate) -> GroupLink {
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
            switch object.text("shell") {
            case "packet": return try readPackets(object, seed: seed, folder: folder)
            case "kernel":
                throw InputFault(
                    message:
                        "no scenario's viewers run behind the kernel shell; take shell: packet "
                        + "('millrace bench link --only kernel' measures HTB)")
            default:
                try refuseForSockets(object)
                return try read(object, seed: seed, folder: folder)
            }
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
        if let model = try? RateModel(parsing: text), !model.isPlainRate {
            throw InputFault(
                message:
                    "the socket shell has no '\(text)'; take a rate such as 3Mbps, or real packets "
                    + "with shell: packet")
        }
        let traces = try TraceInput.traces(named: text, seed: seed, folder: folder)
        guard traces.count == 1, let trace = traces.first else {
            throw InputFault(message: "'\(text)' is a folder; name one trace file")
        }
        try TraceInput.refuseLoss(trace)
        return GroupLink(
            name: trace.name, rate: try trace.value.rateSchedule(), delay: .init(), loss: .none)
    }

    private static func read(
        _ object: ResolvedObject, seed: UInt64, folder: String
    ) throws -> GroupLink {
        let base = try read(down: object.text("down") ?? "", seed: seed, folder: folder)
        guard let socket = base.socket else { return base }
        let loss = try object.text("loss").map { try LossModel(parsing: $0) }
        guard let text = object.text("delay") else {
            return GroupLink(
                name: base.name, rate: socket.rate, delay: socket.delay, loss: loss ?? socket.loss)
        }
        // A delay of its own replaces the trace's.
        return GroupLink(
            name: base.name, rate: try socket.rate.withoutDelays(),
            delay: try DelayModel(parsing: text), loss: loss ?? socket.loss)
    }

    private static func readPackets(
        _ object: ResolvedObject, seed: UInt64, folder: String
    ) throws -> GroupLink {
        var link = LinkDescription()
        let down = object.text("down") ?? ""
        var name = down
        if LinkProfile.all.contains(where: { $0.name == down }) {
            link.profile = down
        } else {
            (link.down, name) = try course(down, seed: seed, folder: folder)
        }
        if let up = object.text("up") {
            (link.up, _) = try course(up, seed: seed, folder: folder)
        }
        link.queue = object.text("queue")
        link.delay = object.text("delay")
        link.latency = .replaced
        link.loss = object.text("loss")
        link.reorder = object.number("reorder")
        link.duplicate = object.number("duplicate")
        link.overhead = object.integer("overhead")
        return try GroupLink(name: name, packets: link, seed: seed)
    }

    /// A rate, or a trace's whole path, and how results call it.
    private static func course(
        _ text: String, seed: UInt64, folder: String
    ) throws -> (text: String, name: String) {
        if (try? RateModel(parsing: text)) != nil { return (text, text) }
        let path = URL(
            fileURLWithPath: text, relativeTo: URL(fileURLWithPath: folder, isDirectory: true)
        ).path
        if FileManager.default.fileExists(atPath: path) {
            return (path, URL(fileURLWithPath: path).lastPathComponent)
        }
        if LinkProfile.all.contains(where: { $0.name == text }) {
            throw InputFault(
                message:
                    "'\(text)' is a profile, which has both directions and belongs into 'down'; 'up' "
                    + "takes a rate or a trace")
        }
        // The fault that the other shell's reader finds names what is nearest.
        return (text, try read(down: text, seed: seed, folder: folder).name)
    }

    /// What only real packets can do is refused, not left out.
    private static func refuseForSockets(_ object: ResolvedObject) throws(InputFault) {
        for key in ["up", "queue", "reorder", "duplicate", "overhead"] where object[key] != nil {
            throw InputFault(
                message:
                    "the socket shell shapes what viewers read and cannot honour '\(key)'; leave "
                    + "it out, or send real packets with shell: packet (root only)")
        }
    }
}

extension RateModel {
    /// Whether a flow can have it: a rate, and nothing else.
    fileprivate var isPlainRate: Bool {
        switch self {
        case .constant, .schedule, .trace: true
        case .unlimited, .tokenBucket: false
        }
    }
}
