import Publisher
import Results
import Scenario
import Statistics
import Viewer

/// Frames of one rendition that the probes among the adaptive viewers received in the steady
/// window.
struct AdaptiveFrames {
    let publisher: PublisherPlan
    /// Delay from the intended time to publication; only the embedded stack has it.
    var published = DelayHistogram()
    /// Delay from the intended time to the arrival of the frame's last byte at the probe.
    var delay = DelayHistogram()
    var uncorrectedDelay = DelayHistogram()
    /// Number of frames that the fetched segments should hold, by frame numbers; `received` counts
    /// those that came.
    var expected = 0
    var received = 0
    var duplicates = 0

    mutating func add(
        _ rendition: HLSRenditionFrames, _ schedule: FrameSchedule?, hasPublication: Bool
    ) {
        if hasPublication { published.add(rendition.published) }
        delay.add(rendition.delay)
        uncorrectedDelay.add(rendition.uncorrectedDelay)
        duplicates += rendition.duplicateFrames
        guard let schedule else { return }
        let kept = publisher.keptFrames(of: schedule)
        let due = rendition.runs.reduce(0) { sum, run in
            // The numbers come from the network, so they are limited to the schedule's range.
            let first = max(run.first, schedule.first)
            let last = min(run.last, schedule.last)
            return first <= last ? sum + kept.count(in: first..<(last + 1), seen: run.seen) : sum
        }
        expected += due
        received += min(due, rendition.windowFrames)
    }
}
