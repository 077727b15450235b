import SimulationKernel

/// A named kind of access link. The figures are round values in the range that public measurements
/// of such links report. They were chosen to differ from each other, and model no particular
/// network.
public struct LinkProfile: Sendable, Hashable {
    /// Direction of a link from the viewer's point of view.
    public enum Direction: String, Sendable, Hashable, CaseIterable { case down, up }

    public var name: String
    /// One line of description for `millrace` to print.
    public var summary: String
    public var down: TraceGenerator
    public var up: TraceGenerator
    /// One-way delay with its jitter.
    public var delay: DelayModel
    public var loss: LossModel
    public var queue: QueueDiscipline

    /// - Throws: `LinkError` that names the nearest profile.
    public static func named(_ name: String) throws(LinkError) -> LinkProfile {
        guard let profile = all.first(where: { $0.name == name.lowercased() }) else {
            throw LinkNotation.unknown(name, "link profile", among: all.map(\.name))
        }
        return profile
    }

    /// Returns the capacity over time for the flow level; latency is the delay without jitter.
    public func schedule(_ direction: Direction, seed: UInt64) -> RateSchedule {
        let generator = direction == .down ? down : up
        let seed = SeededGenerator.seed(seed, entity: "\(name) \(direction.rawValue)")
        do {
            return try generator.schedule(seed: seed, delayNanoseconds: delay.nanoseconds)
        } catch {
            preconditionFailure("the profile \(name) is no link: \(error)")
        }
    }

    /// Returns the specification of one direction for the packet level.
    public func spec(_ direction: Direction, seed: UInt64) -> LinkSpec {
        var delay = delay
        // The schedule already contains the latency.
        delay.nanoseconds = 0
        var spec = LinkSpec(loss: loss, queue: queue, delay: delay, overhead: .l2)
        spec.rate = .schedule(schedule(direction, seed: seed))
        return spec
    }
}

extension SeededGenerator {
    /// Returns a seed for `entity`, drawn from a stream of its own.
    static func seed(_ seed: UInt64, entity: String) -> UInt64 {
        var random = SeededGenerator(seed: seed, entity: entity)
        return random.next()
    }
}
