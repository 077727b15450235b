/// Configuration of a player. Times are in ms.
public struct PlayerConfiguration: Hashable, Sendable {
    /// Behaviour after a download was given up.
    public enum Abandonment: String, CaseIterable, Hashable, Sendable {
        case off
        /// The rendition that the algorithm chose at abandonment is requested next, as in the
        /// papers.
        case published
        /// The algorithm decides anew, as in Sabre.
        case sabre
    }

    /// Largest amount of media in the buffer.
    public var maximumBuffer = 25_000.0
    /// Amount of media with which playback starts, and resumes after a stall; nil = one segment.
    public var startBuffer: Double?
    public var abandonment = Abandonment.published
    /// Settings of a live player; nil for VOD.
    public var live: Live?

    public struct Live: Hashable, Sendable {
        /// Distance that the player wants to keep from the live edge.
        public var targetLatency: Double
        /// Latency above which the player jumps to the target; infinite = it never jumps.
        public var maximumLatency = Double.infinity
        public var catchUp = CatchUp.off

        public init(targetLatency: Double) { self.targetLatency = targetLatency }
    }

    public init() {}

    /// - Throws: an error if the settings contradict each other or `title`.
    public func check(_ title: Title) throws(PlayerConfigurationError) {
        guard maximumBuffer.isFinite, maximumBuffer >= title.segmentDuration else {
            throw PlayerConfigurationError(
                reason: "the buffer of \(maximumBuffer) ms is less than a segment of "
                    + "\(title.segmentDuration) ms: give it at least one")
        }
        guard (startBuffer ?? 0) >= 0, (startBuffer ?? 0) <= maximumBuffer else {
            throw PlayerConfigurationError(
                reason: "playback would start at \(startBuffer ?? 0) ms of buffer, which must be "
                    + "between 0 and the maximum of \(maximumBuffer) ms")
        }
        if let live, !(live.targetLatency > 0 && live.maximumLatency >= live.targetLatency) {
            throw PlayerConfigurationError(
                reason: "the target latency must be positive and not above the maximum latency")
        }
    }
}

/// A checked configuration, and values that follow from it.
final class PlayerSettings: Sendable {
    let configuration: PlayerConfiguration
    /// Start buffer in ms.
    let startBuffer: Double

    init(_ configuration: PlayerConfiguration, _ title: Title) throws(PlayerConfigurationError) {
        try configuration.check(title)
        self.configuration = configuration
        startBuffer = configuration.startBuffer ?? title.segmentDuration
    }
}

public struct PlayerConfigurationError: Error, Hashable, CustomStringConvertible {
    public var reason: String
    public var description: String { reason }
}

/// Method by which a live player changes its playback rate to keep its latency.
public enum CatchUp: Hashable, Sendable {
    case off
    /// LoL+: 1 - c + 2c / (1 + e^(-5 d)), where d is the latency above the target in seconds; no
    /// change within 2 % of the target.
    case sigmoid(maximumChange: Double)
    /// hls.js: the rate changes in steps of 0.05, up to `maximumRate`, and is never below 1.
    case hlsJS(maximumRate: Double)
    /// media3: 1 + 0.1 d within 0.97 … 1.03, with no change within 20 ms.
    case media3

    /// Returns the playback rate in media seconds per second.
    /// - Parameters: Times in ms.
    func rate(latency: Double, target: Double, buffer: Double) -> Double {
        let distance = (latency - target) / 1000
        switch self {
        case .off: return 1
        case .sigmoid(let change):
            let low = buffer < 500
            guard low || abs(distance) > 0.02 * target / 1000 else { return 1 }
            let d = low ? (buffer - 500) / 1000 : distance
            return 1 - change + 2 * change / (1 + exponential(-5 * d))
        case .hlsJS(let maximum):
            // A player with little buffer must not run into a stall.
            guard distance > 0.05, buffer > 1000 else { return 1 }
            let rate = (20 * 2 / (1 + exponential(-0.75 * distance))).rounded() / 20
            return min(max(rate, 1), maximum)
        case .media3:
            guard abs(distance) > 0.02 else { return 1 }
            return min(max(1 + 0.1 * distance, 0.97), 1.03)
        }
    }
}
