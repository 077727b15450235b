/// Sums over a session, added up while it runs; every figure of merit comes from these sums.
///
/// Times are in ms, bit rates in kbit/s. `startup + playing + stalled + idle` is the session's
/// time.
public struct QoEAccount: Hashable, Sendable {
    public internal(set) var startup = 0.0
    public internal(set) var playing = 0.0
    public internal(set) var stalled = 0.0
    /// Time spent seeking, paused, or after the end.
    public internal(set) var idle = 0.0
    public internal(set) var stalls = 0
    /// Number of segments that playback has begun.
    public internal(set) var segments = 0
    public internal(set) var switches = 0
    public internal(set) var bitrateSum = 0.0
    public internal(set) var bitrateChange = 0.0
    /// Sum of ln(bit rate / lowest bit rate).
    public internal(set) var utilitySum = 0.0
    public internal(set) var utilityChange = 0.0
    /// Sum of Pensieve's HD reward.
    public internal(set) var hdSum = 0.0
    public internal(set) var hdChange = 0.0
    /// Sum of the title's own quality scale, if it has one.
    public internal(set) var qualitySum = 0.0
    public internal(set) var qualityChange = 0.0
    /// Sum of LoL+'s measure.
    public internal(set) var lolPlus = 0.0
    /// Integral of the live latency over the time played (ms x ms).
    public internal(set) var latencyIntegral = 0.0
    public internal(set) var maximumLatency = 0.0
    /// Integral of |1 - playback rate| over the time played (ms).
    public internal(set) var rateDeviation = 0.0
    /// Media that was left out by jumps to the live edge (ms).
    public internal(set) var skipped = 0.0
    /// Media that the stream lacks and that playing passed over (EXT-X-GAP; ms).
    public internal(set) var missing = 0.0
    private var lastRendition = -1
    private var stalledAtLastSegment = 0.0

    public init() {}

    public var sessionTime: Double { startup + playing + stalled + idle }
    public var meanBitrate: Double { segments == 0 ? .nan : bitrateSum / Double(segments) }
    /// Stalled share of the time in which the viewer wanted to watch.
    public var rebufferRatio: Double {
        let wanted = playing + stalled
        return wanted == 0 ? .nan : stalled / wanted
    }
    /// Mean live latency while playing (ms).
    public var meanLatency: Double { playing == 0 ? .nan : latencyIntegral / playing }

    /// Notes that playback of a segment begins.
    mutating func began(
        _ rendition: Int, of title: Title, latency: Double, rate: Double, isLive: Bool
    ) {
        let rendition = title.countsAs[rendition]
        let bitrate = title.bitrates[rendition]
        let hd = title.hdRewards
        segments += 1
        bitrateSum += bitrate
        utilitySum += title.utilities[rendition]
        hdSum += hd[rendition]
        var change = 0.0
        if !title.qualities.isEmpty { qualitySum += title.qualities[rendition] }
        if lastRendition >= 0, lastRendition != rendition {
            switches += 1
            change = abs(bitrate - title.bitrates[lastRendition])
            bitrateChange += change
            utilityChange += abs(title.utilities[rendition] - title.utilities[lastRendition])
            hdChange += abs(hd[rendition] - hd[lastRendition])
            if !title.qualities.isEmpty {
                qualityChange += abs(title.qualities[rendition] - title.qualities[lastRendition])
            }
        }
        lastRendition = rendition
        lolPlus += LoLPlusQoE.segment(
            bitrate: bitrate, change: change, title: title,
            stall: stalled - stalledAtLastSegment, latency: isLive ? latency : 0, rate: rate)
        stalledAtLastSegment = stalled
    }

    mutating func played(_ time: Double, latencyBefore: Double, latencyAfter: Double, rate: Double)
    {
        playing += time
        latencyIntegral += (latencyBefore + latencyAfter) / 2 * time
        maximumLatency = max(maximumLatency, latencyBefore, latencyAfter)
        rateDeviation += abs(1 - rate) * time
    }
}

/// The measure that LoL+ maximises (Bentaleb et al., IEEE TMM 2021), per segment.
enum LoLPlusQoE {
    /// Returns the measure of a segment; each term is in kbit/s x s, `stall` and `latency` are in
    /// ms.
    static func segment(
        bitrate: Double, change: Double, title: Title, stall: Double, latency: Double, rate: Double
    ) -> Double {
        let lowest = title.bitrates[0]
        let highest = title.bitrates[title.renditionCount - 1]
        let latencyWeight = latency <= 1100 ? 0.05 * lowest : 0.1 * highest
        return title.segmentDuration / 1000 * bitrate - change - highest * stall / 1000
            - latencyWeight * latency / 1000 - lowest * abs(1 - rate)
    }
}
