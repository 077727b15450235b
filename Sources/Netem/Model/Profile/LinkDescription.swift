import Glibc
import SimulationKernel

/// Text description of both directions of a link, as command lines, scenarios and worker processes
/// contain it. Each text is in the link language (`2Mbps`, `droptail:64KB`, `20ms±5ms`,
/// `gemodel:p=1%,r=10%`).
public struct LinkDescription: Codable, Sendable, Hashable {
    /// Effect of `delay` on the latency that a profile or a trace already has.
    public enum Latency: String, Codable, Sendable {
        /// The latency is replaced: `delay` is the link's whole delay.
        case replaced
        /// The latency is kept, and `delay` is added to it.
        case kept
    }

    /// Name of a profile, which replaces `down` and `up`.
    public var profile: String?
    /// A rate, or the path of a trace file.
    public var down: String?
    /// Rate or trace of the uplink; nil = the same as `down`.
    public var up: String?
    public var queue: String?
    /// If one of the following is nil, the value of the downlink is used.
    public var upQueue: String?
    public var delay: String?
    public var upDelay: String?
    public var loss: String?
    public var upLoss: String?
    /// Probability from 0 to 1.
    public var reorder: Double?
    public var duplicate: Double?
    /// Number of bytes; nil = 0, or 14 for a profile.
    public var overhead: Int?
    public var latency = Latency.kept

    public init() {}

    /// Returns the specification of one direction.
    /// - Parameters:
    ///   - seed: seed of the profile's rates.
    ///   - traceStartNanoseconds: start of the trace; nothing happens before it.
    /// - Throws: `LinkError`, `TraceError` or `RateScheduleError`.
    public func spec(
        _ direction: LinkProfile.Direction, seed: UInt64 = 0, traceStartNanoseconds: Int64 = 0
    ) throws -> LinkSpec {
        let isUp = direction == .up
        var spec = LinkSpec()
        if let profile {
            spec = try LinkProfile.named(profile).spec(direction, seed: seed)
        }
        // A rate that is given for the direction overrides the profile's.
        if let text = (isUp ? up : nil) ?? down {
            spec.rate = try Self.rate(text, traceStartNanoseconds: traceStartNanoseconds)
        } else if profile == nil {
            throw LinkError("the link has no rate; name one such as 2Mbps, a trace or a profile")
        }
        if let text = (isUp ? upQueue : nil) ?? queue { spec.queue = try .init(parsing: text) }
        if let text = (isUp ? upLoss : nil) ?? loss { spec.loss = try .init(parsing: text) }
        if let text = (isUp ? upDelay : nil) ?? delay {
            try spec.setDelay(DelayModel(parsing: text), latency, addsToJitter: profile != nil)
        }
        if let reorder { spec.reorder = reorder }
        if let duplicate { spec.duplicate = duplicate }
        if let overhead { spec.overhead = PacketOverhead(bytes: overhead) }
        try spec.check()
        return spec
    }

    /// Reads a share such as `1%` as a fraction.
    /// - Parameter name: name of the share in the error's message.
    /// - Throws: `LinkError` for anything but 0% to 100%.
    public static func share(
        _ text: String, _ name: String = "the share"
    ) throws(LinkError) -> Double {
        try LinkNotation.value(text, .share, name)
    }

    private static func rate(
        _ text: String, traceStartNanoseconds: Int64
    ) throws -> RateModel {
        do {
            return try RateModel(parsing: text)
        } catch {
            // The text is not a rate. It is a file if such a file exists or the text looks like a
            // file name.
            guard access(text, F_OK) != 0 else { return try file(text, traceStartNanoseconds) }
            let looksLikeRate =
                text.first?.isNumber == true || text.first == "-" || text.first == "."
                || text.lowercased().hasPrefix("bucket:")
            if looksLikeRate { throw error }
            if !text.contains("/") {
                let profiles = LinkProfile.all.map(\.name)
                if profiles.contains(text.lowercased()) {
                    throw LinkError(
                        "'\(text)' is a profile, which has both directions; name it as the profile, "
                            + "not as a rate")
                }
                if let near = NameDistance.nearest(to: text, among: ["unlimited"] + profiles) {
                    throw LinkError(
                        "there is no file '\(text)', and it is no rate; did you mean "
                            + (near == "unlimited" ? "'unlimited'?" : "the profile '\(near)'?"))
                }
            }
        }
        return try file(text, traceStartNanoseconds)
    }

    private static func file(_ text: String, _ traceStartNanoseconds: Int64) throws -> RateModel {
        let trace = try TraceReader.read(path: text)
        switch trace {
        case .delivery(let opportunities):
            return .trace(opportunities, startOffsetNanoseconds: traceStartNanoseconds)
        case .schedule:
            let cycle = try trace.rateSchedule().cycleNanoseconds
            return .schedule(
                try trace.rateSchedule(
                    startOffsetNanoseconds: (cycle - traceStartNanoseconds % cycle) % cycle))
        }
    }
}

extension LinkSpec {
    fileprivate mutating func setDelay(
        _ more: DelayModel, _ latency: LinkDescription.Latency, addsToJitter: Bool
    ) throws {
        switch latency {
        case .kept:
            if addsToJitter, more.jitterNanoseconds == 0 {
                delay.nanoseconds += more.nanoseconds
            } else {
                delay = more
            }
        case .replaced:
            delay = more
            guard case .schedule(let schedule) = rate else { return }
            rate = .schedule(try schedule.withoutDelays())
        }
    }
}
