/// One line of a trace in Pensieve's cooked form.
public struct PensieveSample: Hashable, Sendable {
    /// End of the period (s); ascending from the first line on.
    public var time: Double
    /// Bandwidth in Mbit/s.
    public var bandwidth: Double

    public init(time: Double, bandwidth: Double) {
        self.time = time
        self.bandwidth = bandwidth
    }
}

/// Pensieve's test simulator (hongzimao/pensieve, `test/`), with the defects of its planner: the
/// plan uses the sizes of the following segment (issue 51), the last of equal plans in
/// lexicographic order wins, and the first segment is on rendition 1. The error history belongs to
/// the trace.
public struct PensieveSession {
    public enum Algorithm: String, CaseIterable, Sendable {
        case bufferBased = "bb"
        case robustMPC = "robustmpc"
        case mpcUndiscounted = "mpc-undiscounted"
    }

    public static let horizon = 5
    static let firstRendition = 1
    static let rebufferPenalty = 4.3

    /// Result of a session.
    public struct Result: Sendable {
        public var renditions: [Int] = []
        /// Reward of each segment: its Mbit/s less 4.3 per second of stall less the change in
        /// Mbit/s.
        public var rewards: [Double] = []
        /// Stall time in seconds.
        public var rebuffer = 0.0

        /// Sum over all segments; start-up counts as a stall.
        public var qoe: Double { rewards.reduce(0, +) }
        /// QoE as in Pensieve's plots, which leave out the first segment.
        public var qoeWithoutFirst: Double { rewards.dropFirst().reduce(0, +) }
        public var switches: Int { zip(renditions, renditions.dropFirst()).count { $0 != $1 } }
    }

    /// Bit rate in kbit/s per rendition.
    private let bitrates: [Double]
    /// Sizes in bytes: `sizes[rendition][segment]`.
    private let sizes: [[Double]]
    private let segments: Int
    private let algorithm: Algorithm
    private var network: PensieveNetwork
    private var measured: [Double] = []
    private var errors: [Double] = []
    private var lastEstimate: Double?

    /// - Parameters:
    ///   - sizes: bytes, `sizes[rendition][segment]`; the title is one segment shorter, because the
    ///     reference never sends the last one.
    ///   - trace: at least two lines, with ascending times and some bandwidth above 0.
    public init(
        bitrates: [Double], sizes: [[Double]], trace: [PensieveSample], algorithm: Algorithm
    ) {
        precondition(bitrates.count == sizes.count && bitrates.count > Self.firstRendition)
        precondition(trace.count > 1 && trace.dropFirst().contains { $0.bandwidth > 0 })
        self.bitrates = bitrates
        self.sizes = sizes
        self.algorithm = algorithm
        segments = sizes[0].count - 1
        network = PensieveNetwork(trace: trace)
    }

    public mutating func run() -> Result {
        var result = Result()
        var rendition = Self.firstRendition
        var last = Self.firstRendition
        for segment in 0..<segments {
            let size = sizes[rendition][segment]
            let step = network.fetch(bytes: size)
            result.renditions.append(rendition)
            result.rewards.append(
                bitrates[rendition] / 1000 - Self.rebufferPenalty * step.rebuffer
                    - abs(bitrates[rendition] - bitrates[last]) / 1000)
            result.rebuffer += step.rebuffer
            last = rendition
            switch algorithm {
            case .bufferBased:
                rendition = BBA0.pensieveRendition(
                    buffer: step.buffer, renditionCount: bitrates.count)
            case .robustMPC, .mpcUndiscounted:
                // Kilobytes per millisecond equal megabytes per second.
                let throughput = predict(size / step.delay / 1000)
                rendition = plan(from: rendition, sent: segment + 1, step.buffer, throughput)
            }
        }
        return result
    }

    /// Returns the harmonic mean of the last five samples, discounted by the largest of the last
    /// five errors.
    private mutating func predict(_ sample: Double) -> Double {
        errors.append(lastEstimate.map { abs($0 - sample) / sample } ?? 0)
        measured.append(sample)
        let recent = measured.suffix(5)
        var sum = 0.0
        for value in recent { sum += 1 / value }
        let estimate = 1 / (sum / Double(recent.count))
        lastEstimate = estimate
        guard algorithm == .robustMPC else { return estimate }
        return estimate / (1 + (errors.suffix(5).max() ?? 0))
    }

    private func plan(from rendition: Int, sent: Int, _ buffer: Double, _ throughput: Double) -> Int
    {
        let length = min(Self.horizon, segments - sent)
        guard length > 0 else { return 0 }
        var search = Search(bitrates: bitrates, length: length)
        for position in 0..<length {
            for rendition in bitrates.indices {
                // The size is that of the following segment, as in the reference.
                search.times.append(sizes[rendition][sent + position + 1] / 1_000_000 / throughput)
            }
        }
        search.extend(
            0, buffer: buffer, rebuffer: 0, bitrate: 0, change: 0, last: rendition, first: 0)
        return search.best
    }

    /// Search over all plans, in falling lexicographic order, so that the first of equal plans
    /// wins. Prefixes are shared, but sums run from the first segment to the last, as in the
    /// reference.
    private struct Search {
        let bitrates: [Double]
        let length: Int
        /// Download times in seconds, `times[position * renditions + rendition]`.
        var times: [Double] = []
        var best = 0
        private var bestReward = -100_000_000.0

        init(bitrates: [Double], length: Int) {
            self.bitrates = bitrates
            self.length = length
        }

        mutating func extend(
            _ position: Int, buffer: Double, rebuffer: Double, bitrate: Double, change: Double,
            last: Int, first: Int
        ) {
            if position == length {
                let reward =
                    bitrate / 1000 - PensieveSession.rebufferPenalty * rebuffer - change / 1000
                if reward > bestReward {
                    bestReward = reward
                    best = first
                }
                return
            }
            for rendition in bitrates.indices.reversed() {
                let time = times[position * bitrates.count + rendition]
                let short = buffer < time
                extend(
                    position + 1, buffer: (short ? 0 : buffer - time) + 4,
                    rebuffer: short ? rebuffer + (time - buffer) : rebuffer,
                    bitrate: bitrate + bitrates[rendition],
                    change: change + abs(bitrates[rendition] - bitrates[last]), last: rendition,
                    first: position == 0 ? rendition : first)
            }
        }
    }
}

/// Pensieve's `fixed_env`: 4 s segments, a buffer of 60 s that drains in steps of 500 ms, 80 ms per
/// request, and 95 % of the trace's bytes are payload. Steps are in the reference's order.
struct PensieveNetwork {
    private static let segmentDuration = 4_000.0
    private static let bufferLimit = 60_000.0
    private static let drainStep = 500.0
    private static let payloadShare = 0.95
    private static let roundTrip = 80.0

    private let trace: [PensieveSample]
    private var index = 1
    private var lastTime: Double
    /// Buffer level in ms.
    private var buffer = 0.0

    init(trace: [PensieveSample]) {
        self.trace = trace
        lastTime = trace[0].time
    }

    /// - Returns: delay (ms), stall (s) and buffer after it (s).
    mutating func fetch(bytes: Double) -> (delay: Double, rebuffer: Double, buffer: Double) {
        var delay = 0.0
        var sent = 0.0
        while true {
            let rate = trace[index].bandwidth * 1_000_000 / 8
            let duration = trace[index].time - lastTime
            let payload = rate * duration * Self.payloadShare
            if sent + payload > bytes {
                let part = (bytes - sent) / rate / Self.payloadShare
                delay += part
                lastTime += part
                break
            }
            sent += payload
            delay += duration
            advance()
        }
        delay *= 1000
        delay += Self.roundTrip
        let rebuffer = max(delay - buffer, 0)
        buffer = max(buffer - delay, 0) + Self.segmentDuration
        if buffer > Self.bufferLimit { drain() }
        return (delay, rebuffer / 1000, buffer / 1000)
    }

    private mutating func drain() {
        var sleep =
            ((buffer - Self.bufferLimit) / Self.drainStep).rounded(.up) * Self.drainStep
        buffer -= sleep
        while true {
            let duration = trace[index].time - lastTime
            if duration > sleep / 1000 {
                lastTime += sleep / 1000
                return
            }
            sleep -= duration * 1000
            advance()
        }
    }

    private mutating func advance() {
        lastTime = trace[index].time
        index += 1
        if index >= trace.count {
            index = 1
            lastTime = 0
        }
    }
}
