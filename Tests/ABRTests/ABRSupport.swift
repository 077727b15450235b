import Netem
import SimulationKernel

@testable import ABR

/// Titles, states and links for tests of algorithms.
enum Make {
    /// Constant bit rate.
    static func title(
        _ bitrates: [Double], segmentDuration: Double = 4000, segments: Int = 100
    ) throws -> Title {
        try Title(
            name: "t", segmentDuration: segmentDuration, bitrates: bitrates, segmentCount: segments)
    }

    static func state(
        _ title: Title, buffer: Double, throughput: Double = .nan, last: Int = -1,
        segment: Int = 10, maximumBuffer: Double = 240_000, latency: Double = 0
    ) -> PlayerState {
        var state = PlayerState(title: title, maximumBuffer: maximumBuffer)
        state.bufferLevel = buffer
        state.throughput = throughput
        state.lastThroughput = throughput
        state.lastRendition = last
        state.segment = segment
        state.latency = latency
        return state
    }

    static func progress(
        _ state: PlayerState, rendition: Int, size: Double, downloaded: Double, elapsed: Double,
        timeToFirstByte: Double = 100
    ) -> DownloadProgress {
        DownloadProgress(
            segment: state.segment, rendition: rendition, size: size, downloaded: downloaded,
            elapsed: elapsed, timeToFirstByte: timeToFirstByte)
    }

    /// A whole download of `elapsed` ms.
    static func finished(_ state: PlayerState, rendition: Int, elapsed: Double) -> DownloadProgress
    {
        progress(
            state, rendition: rendition, size: 1, downloaded: 1, elapsed: elapsed,
            timeToFirstByte: 0)
    }

    /// Capacity that changes every second between 0.2 and `most` Mbit/s, with outages.
    static func link(seed: UInt64, most: Double = 6) throws -> RateSchedule {
        var random = SeededGenerator(seed: seed, entity: "link")
        return try RateSchedule(
            periods: (0..<120).map { _ in
                let isOutage = random.nextUnit() < 0.05
                let rate = 200_000 + (most - 0.2) * 1e6 * random.nextUnit()
                return RateSchedule.Period(
                    durationNanoseconds: 1_000_000_000,
                    bitsPerSecond: isOutage ? 0 : Int64(rate), delayNanoseconds: 20_000_000)
            })
    }
}
