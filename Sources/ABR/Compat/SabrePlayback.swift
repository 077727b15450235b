/// Sabre's buffer, and the figures that it keeps while playing.
struct SabrePlayback {
    private let title: Title
    private let maximumBuffer: Double
    private var buffer: [Int] = []
    /// Time of the first segment that has been played (ms).
    private var consumed = 0.0
    private var lastPlayed: Int?
    private var pendingUps: [(time: Double, rendition: Int, reached: Double?)] = []

    var totalTime = 0.0
    private(set) var rebufferTime = 0.0
    private(set) var rebufferEvents = 0
    private(set) var utility = 0.0
    private(set) var bitrate = 0.0
    private(set) var bitrateChange = 0.0
    private(set) var logBitrateChange = 0.0
    private(set) var rampUpTime: Double?
    private(set) var reactionTime = 0.0

    init(title: Title, maximumBuffer: Double) {
        self.title = title
        self.maximumBuffer = maximumBuffer
    }

    var level: Double { title.segmentDuration * Double(buffer.count) - consumed }

    mutating func append(_ rendition: Int) { buffer.append(rendition) }

    mutating func play(_ milliseconds: Double, sustainableRendition: Int) {
        var time = milliseconds
        let duration = title.segmentDuration
        guard !buffer.isEmpty else {
            rebufferTime += time
            totalTime += time
            return
        }
        if consumed > 0 {
            if time + consumed < duration {
                consumed += time
                totalTime += time
                return
            }
            time -= duration - consumed
            totalTime += duration - consumed
            buffer.removeFirst()
            consumed = 0
        }
        while time > 0, let rendition = buffer.first {
            start(rendition, sustainableRendition)
            if time >= duration {
                buffer.removeFirst()
                totalTime += duration
                time -= duration
            } else {
                consumed = time
                totalTime += time
                time = 0
            }
        }
        if time > 0 {
            rebufferTime += time
            totalTime += time
            rebufferEvents += 1
        }
        settleUps(now: totalTime)
    }

    mutating func playOut(_ sustainableRendition: Int) {
        play(level, sustainableRendition: sustainableRendition)
        buffer.removeAll()
        consumed = 0
    }

    private mutating func start(_ rendition: Int, _ sustainableRendition: Int) {
        utility += title.utilities[rendition]
        bitrate += title.bitrates[rendition]
        if let last = lastPlayed, last != rendition {
            bitrateChange += abs(title.bitrates[rendition] - title.bitrates[last])
            logBitrateChange += abs(
                Title.logarithm(title.bitrates[rendition] / title.bitrates[last]))
        }
        lastPlayed = rendition
        if rampUpTime == nil, rendition >= sustainableRendition { rampUpTime = totalTime }
        for index in pendingUps.indices
        where pendingUps[index].reached == nil && rendition >= pendingUps[index].rendition {
            pendingUps[index].reached = totalTime
        }
    }

    /// Ends the wait for upward switches that are older than one buffer length.
    private mutating func settleUps(now: Double) {
        while let first = pendingUps.first, first.time < now - maximumBuffer {
            pendingUps.removeFirst()
            reactionTime +=
                first.reached.map { min(maximumBuffer, $0 - first.time) } ?? maximumBuffer
        }
    }

    /// Notes that the network now sustains another rendition.
    mutating func networkChanged(_ rendition: Int, previous: Int, time: Double) {
        settleUps(now: time)
        for index in pendingUps.indices
        where pendingUps[index].reached == nil && pendingUps[index].rendition > rendition {
            pendingUps[index].reached = time
        }
        guard rendition > previous, !buffer.contains(where: { rendition <= $0 }),
            !pendingUps.contains(where: { rendition <= $0.rendition })
        else { return }
        pendingUps.append((time, rendition, nil))
    }
}

/// Errors of the throughput estimates.
struct SabreEstimateError {
    private(set) var over = (count: 0, mean: 0.0)
    private(set) var good = (count: 0, mean: 0.0)
    private(set) var mean = 0.0

    mutating func add(estimate: Double, measured: Double) {
        if estimate > measured {
            over.count += 1
            over.mean += (estimate - measured - over.mean) / Double(over.count)
        } else {
            good.count += 1
            good.mean += (measured - estimate - good.mean) / Double(good.count)
        }
        mean += (estimate - measured - mean) / Double(over.count + good.count)
    }
}

/// The figures that Sabre prints at the end of a session, with its names and in its order.
public struct SabreMetrics: Sendable {
    public enum Value: Hashable, Sendable {
        case count(Int)
        case number(Double)
    }

    public let values: [(name: String, value: Value)]

    init(
        title: Title, maximumBuffer: Double, playback: SabrePlayback, estimates: SabreEstimateError
    ) {
        let duration = title.segmentDuration
        let perSegment = 1 / (playback.totalTime / duration)
        let events = Double(playback.rebufferEvents)
        let score =
            perSegment
            * (playback.utility - BOLA.gammaP * playback.rebufferTime / duration)
        let rampUp = playback.rampUpTime ?? Double(title.segmentCount) * duration
        values = [
            ("buffer size", .count(Int(maximumBuffer))),
            ("total played utility", .number(playback.utility)),
            ("time average played utility", .number(playback.utility * perSegment)),
            ("total played bitrate", .number(playback.bitrate)),
            ("time average played bitrate", .number(playback.bitrate * perSegment)),
            ("total play time", .number(playback.totalTime / 1000)),
            ("total play time chunks", .number(playback.totalTime / duration)),
            ("total rebuffer", .number(playback.rebufferTime / 1000)),
            ("rebuffer ratio", .number(playback.rebufferTime / playback.totalTime)),
            ("time average rebuffer", .number(playback.rebufferTime / 1000 * perSegment)),
            ("total rebuffer events", .number(events)),
            ("time average rebuffer events", .number(events * perSegment)),
            ("total bitrate change", .number(playback.bitrateChange)),
            ("time average bitrate change", .number(playback.bitrateChange * perSegment)),
            ("total log bitrate change", .number(playback.logBitrateChange)),
            ("time average log bitrate change", .number(playback.logBitrateChange * perSegment)),
            ("time average score", .number(score)),
            ("over estimate count", .count(estimates.over.count)),
            ("over estimate", estimates.over.count == 0 ? .count(0) : .number(estimates.over.mean)),
            ("leq estimate count", .count(estimates.good.count)),
            ("leq estimate", estimates.good.count == 0 ? .count(0) : .number(estimates.good.mean)),
            ("estimate", .number(estimates.mean)),
            ("rampup time", .number(rampUp / 1000)),
            ("total reaction time", .number(playback.reactionTime / 1000)),
        ]
    }
}
