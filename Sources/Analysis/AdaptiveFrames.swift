import Publisher
import Results
import Scenario
import Statistics
import Viewer

/// What the probes among the adaptive viewers had of one rendition's frames, over the steady window.
struct AdaptiveFrames {
    let publisher: PublisherPlan
    /// Intended time → publication; of the embedded stack only.
    var published = DelayHistogram()
    /// Intended time → the frame's last byte at the probe.
    var delay = DelayHistogram()
    var uncorrectedDelay = DelayHistogram()
    /// Frames of the segments that were fetched, by their numbers, and those that came.
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
            // Numbers come from the network: whatever they are, they stay in the schedule's range.
            let first = max(run.first, schedule.first)
            let last = min(run.last, schedule.last)
            return first <= last ? sum + kept.count(in: first..<(last + 1), seen: run.seen) : sum
        }
        expected += due
        received += min(due, rendition.windowFrames)
    }
}
