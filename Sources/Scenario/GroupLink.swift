import Foundation
package import Netem
package import SimulationKernel
package import Viewer

/// The link that each viewer of a group is behind, after the scenario was read and checked.
package struct GroupLink: Codable, Sendable, Hashable {
    /// The part of Millrace that makes the traffic obey the link, with the settings that it needs.
    package enum Shell: Codable, Sendable, Hashable {
        /// The viewer itself delays and limits what it reads from its socket.
        case socket(ViewerLink)
        /// The viewer is in a network namespace, and its real packets are delayed, queued and
        /// dropped.
        case packet(LinkDescription)
    }

    /// Name of the link in results: a profile, the name of a file, or a rate.
    package var name: String
    package var shell: Shell
    /// Mean rate of the TCP payload that fits through the downlink, once headers are paid.
    package var payloadRate: Bitrate
    /// Length of one cycle of the link's trace; 0 for a constant rate. Viewers begin at seeded
    /// offsets in the cycle.
    package var cycleNanoseconds: Int64

    /// The settings of the socket shell; nil if the link has the other shell.
    package var socket: ViewerLink? {
        if case .socket(let link) = shell { link } else { nil }
    }

    /// The settings of the packet shell; nil if the link has the other shell.
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

    /// Makes a link of the socket shell.
    init(name: String, _ link: ViewerLink) {
        self.init(
            name: name, rate: link.rate, delay: link.delay, loss: link.loss,
            headerBytes: link.headerBytes)
    }

    /// Makes a link of the packet shell, and checks both directions of it.
    /// - Throws: the fault of the first direction that is not valid.
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

    /// Returns the notes about these links that readers of the results need; none if all links have
    /// the packet shell or are plain limits.
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

    /// Returns a link that is only a limit on the payload that a viewer reads, without headers,
    /// delay or loss.
    package static func rateLimit(_ rate: Bitrate) -> GroupLink {
        GroupLink(
            name: rate.description, rate: RateSchedule(constant: rate), delay: .init(),
            loss: .none, headerBytes: 0)
    }

    /// Returns the link of the socket shell that a text names: a profile, a rate or a trace file.
    ///
    /// - Parameters:
    ///   - seed: seed of the rates of a profile.
    ///   - folder: folder to which the path of a trace file is relative.
    /// - Throws: `InputFault`, `TraceError` or `LinkError`. For an unknown name the message
    ///   contains the nearest valid name.
    package static func named(
        _ text: String, seed: UInt64 = 1, folder: String = "."
    ) throws -> GroupLink {
        if let profile = LinkProfile.all.first(where: { $0.name == text }) {
            var delay = profile.delay
            // The schedule contains the latency.
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
        let trace = try TraceInput.trace(named: text, seed: seed, folder: folder)
        return GroupLink(
            name: trace.name, rate: try trace.value.rateSchedule(), delay: .init(), loss: .none)
    }

    /// Returns the link of the socket shell that a mapping describes.
    fileprivate static func read(
        _ fields: LinkFields, seed: UInt64, folder: String
    ) throws -> GroupLink {
        let base = try named(fields.down, seed: seed, folder: folder)
        guard let socket = base.socket else { return base }
        let loss = try fields.link.loss.map { try LossModel(parsing: $0) }
        guard let text = fields.link.delay else {
            return GroupLink(
                name: base.name, rate: socket.rate, delay: socket.delay, loss: loss ?? socket.loss)
        }
        // A delay of the link itself replaces the trace's delay.
        return GroupLink(
            name: base.name, rate: try socket.rate.withoutDelays(),
            delay: try DelayModel(parsing: text), loss: loss ?? socket.loss)
    }

    /// Returns the link of the packet shell that a mapping describes.
    fileprivate static func readPackets(
        _ fields: LinkFields, seed: UInt64, folder: String
    ) throws -> GroupLink {
        var (link, name) = (fields.link, fields.down)
        if LinkProfile.all.contains(where: { $0.name == name }) {
            link.profile = name
        } else {
            (link.down, name) = try rateText(name, seed: seed, folder: folder)
        }
        if let up = link.up { (link.up, _) = try rateText(up, seed: seed, folder: folder) }
        link.latency = .replaced
        return try GroupLink(name: name, packets: link, seed: seed)
    }

    /// Returns a rate, or the full path of a trace file, and the name that it has in results.
    private static func rateText(
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
        // If the name is unknown, the reader of the other shell throws a fault that names the
        // nearest valid name.
        return (text, try named(text, seed: seed, folder: folder).name)
    }
}

/// The mapping `link` of a viewer group, as it is in the scenario file.
private struct LinkFields: ScenarioMapping {
    enum Shell: String, CaseIterable { case socket, packet, kernel }

    var down = ""
    var shell = Shell.socket
    var link = LinkDescription()

    static let fields = plainFields + packetFields

    private static let plainFields: [Field<LinkFields>] = [
        .required(
            "down", \.down, .text(.nonEmpty),
            "A profile such as lte, a rate such as 3Mbps, or a trace."),
        .optional(
            "delay", \.link.delay, .text(.nonEmpty),
            "One way: 20ms, 20ms±5ms; instead of the profile's."),
        .optional(
            "loss", \.link.loss, .text(.nonEmpty),
            "1%, gemodel:p=1%,r=10%, …; instead of the profile's."),
        .standard(
            "shell", \.shell, .choice,
            "What shapes: the viewer's reads, or real packets in a namespace (root only)."),
    ]

    /// Settings that only real packets support.
    private static let packetFields: [Field<LinkFields>] = [
        .optional("up", \.link.up, .text(.nonEmpty), "Uplink; packet shell only."),
        .optional(
            "queue", \.link.queue, .text(.nonEmpty), "droptail:64KB, codel, …; packet shell only."),
        .optional("reorder", \.link.reorder, .share(), "Packet shell only."),
        .optional("duplicate", \.link.duplicate, .share(), "Packet shell only."),
        .optional(
            "overhead", \.link.overhead, .integer(0...1500), "Bytes per packet; packet shell only."),
    ]

    /// Returns the checked link.
    /// - Throws: `InputFault` if the shell does not support a setting, or an error of
    ///   `GroupLink.named`.
    func groupLink(seed: UInt64, folder: String) throws -> GroupLink {
        switch shell {
        case .packet: return try GroupLink.readPackets(self, seed: seed, folder: folder)
        case .kernel:
            throw InputFault(
                message:
                    "no scenario's viewers run behind the kernel shell; take shell: packet "
                    + "('millrace bench link --only kernel' measures HTB)")
        case .socket:
            // A setting that this shell does not support is refused, not ignored.
            if let field = Self.packetFields.first(where: { $0.get(self) != nil }) {
                throw InputFault(
                    message:
                        "the socket shell shapes what viewers read and cannot honour '\(field.key)'; leave "
                        + "it out, or send real packets with shell: packet (root only)")
            }
            return try GroupLink.read(self, seed: seed, folder: folder)
        }
    }
}

extension ValueKind where Value == GroupLink {
    /// A link: the name of a profile, a rate or the path of a trace file, or else a mapping.
    static var link: Self {
        .either(
            ValueKind<String>.text(.nonEmpty).reading { text, reader in
                try GroupLink.named(text, seed: reader.seed, folder: reader.folder)
            },
            ValueKind<LinkFields>.mapping.reading { fields, reader in
                try fields.groupLink(seed: reader.seed, folder: reader.folder)
            })
    }
}

extension RateModel {
    /// Whether the model is only a rate over time, as a flow can have it. A token bucket acts on
    /// packets, and no limit is no rate.
    fileprivate var isPlainRate: Bool {
        switch self {
        case .constant, .schedule, .trace: true
        case .unlimited, .tokenBucket: false
        }
    }
}
