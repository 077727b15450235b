/// The highest rendition below a share of the estimate, with the insufficient-buffer rule
/// (Spiteri, Sitaraman, Sparacio: "From Theory to Practice", MMSys 2018; the dash.js rule as
/// Sabre implements it).
public struct ThroughputRule: ABRAlgorithm {
    public static let safetyFactor = 0.9
    /// A download is given up if it would take more than this many segment durations.
    public static let abandonMultiplier = 1.8
    /// No download is judged before this time (ms).
    public static let abandonGraceTime = 500.0

    var insufficientBuffer = InsufficientBufferRule()

    public init() {}

    public var mayAbandon: Bool { true }
    public var abandonGrace: Double { Self.abandonGraceTime }

    public mutating func decide(_ state: PlayerState) -> Decision {
        guard state.hasEstimate else { return Decision(rendition: 0) }
        let rendition = state.sustainableRendition(state.throughput * Self.safetyFactor)
        return Decision(rendition: insufficientBuffer.limit(rendition, state))
    }

    public mutating func abandon(_ progress: DownloadProgress, _ state: PlayerState) -> Int? {
        let transferTime = progress.elapsed - progress.timeToFirstByte
        guard progress.elapsed >= Self.abandonGraceTime, transferTime > 0 else { return nil }
        let throughput = progress.downloaded / transferTime
        let left = progress.size - progress.downloaded
        guard
            progress.elapsed + left / throughput
                > Self.abandonMultiplier * state.title.segmentDuration
        else { return nil }
        let rendition = state.sustainableRendition(throughput * Self.safetyFactor)
        let bitrates = state.title.bitrates
        let size = progress.size * bitrates[rendition] / bitrates[progress.rendition]
        return rendition >= progress.rendition || size >= left ? nil : rendition
    }

    /// The condition of `abandon` solved for the elapsed time, as if no more bits arrived. If the
    /// first bit came after the limit, more bits make the time earlier, down to the limit.
    public func earliestAbandonment(
        after progress: DownloadProgress, _ state: PlayerState
    ) -> Double {
        guard progress.size > 0 else { return 0 }
        let share = min(1, progress.downloaded / progress.size)
        let limit = Self.abandonMultiplier * state.title.segmentDuration
        return min(limit, share * limit + (1 - share) * progress.timeToFirstByte)
    }
}

/// Limits the rendition by the buffer: the result is below the lowest rendition whose download
/// would take longer than a share of the buffer. The share shrinks from decision to decision.
struct InsufficientBufferRule: Sendable {
    static let initialSafety = 0.9
    static let minimumSafety = 0.5

    private var safety = Self.initialSafety

    mutating func limit(_ rendition: Int, _ state: PlayerState) -> Int {
        let safeSize = safety * (state.bufferLevel - state.latency) * state.throughput
        safety = max(safety * Self.initialSafety, Self.minimumSafety)
        for lower in 0..<rendition
        where state.title.bitrates[lower + 1] * state.title.segmentDuration > safeSize {
            return lower
        }
        return rendition
    }
}
