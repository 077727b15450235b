// How encoders are measured. A plan's streams are published, or made by an encoder of a published
// one; both have one stream ID, so a stamp finds its schedule. The server reports its encoders
// once a second; their process groups are followed across restarts, and the use between the last
// sample and an encoder's death is lost. The capture keeps the stamped frames that come in (a
// frame of the source and the rendition's frame with the same stamp give the encoder's delay),
// 500,000 at most. `KeptFrames` says which frames a rendition owes. Publishers begin before the
// warm-up, and the capture counts nothing until the window is known.

import Capture
import Results
import Scenario
import Statistics

/// One encoded rendition as the capture saw it come back into the server, over the steady window.
struct EncodedFrames {
    /// From the source frame's last byte into the server to that of the rendition's frame with the
    /// same stamp.
    var delay = DelayHistogram()
    /// Source frames of the window that came in and that the rendition's frame rate keeps, and those
    /// of them that came back.
    var expected = 0
    var found = 0

    /// - Parameters:
    ///   - source: as they came in.
    ///   - rendition: likewise.
    ///   - isInWindow: of a frame's intended time.
    init(
        source: [IngressFrame], rendition: [IngressFrame], kept: KeptFrames,
        isInWindow: (Int64) -> Bool
    ) {
        var arrivals: [UInt64: Int64] = [:]
        for frame in source where isInWindow(frame.intendedNanoseconds) {
            arrivals[frame.frameNumber] = frame.arrivalNanoseconds
        }
        var seen: Set<UInt64> = []
        for frame in rendition {
            guard let arrival = arrivals[frame.frameNumber], seen.insert(frame.frameNumber).inserted
            else { continue }
            delay.record(nanoseconds: frame.arrivalNanoseconds - arrival)
        }
        expected = kept.count(of: arrivals.keys, seen: seen.min())
        found = min(expected, seen.count)
    }

    /// 0...1; nil where no source frame came in.
    var share: Double? { expected > 0 ? Double(found) / Double(expected) : nil }
}

extension PublisherPlan {
    /// Which of its source's frames it has; those that are published have all.
    func keptFrames(of schedule: FrameSchedule?) -> KeptFrames {
        guard let encoded, let rate = schedule?.framesPerSecond else { return .all }
        return KeptFrames(source: rate, rendition: Double(encoded.framesPerSecond))
    }
}
