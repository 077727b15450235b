// How encoders are measured. Each stream of a plan is either published, or made by an encoder from
// a published stream. Both have the same stream ID, so a stamp leads to its schedule. The server
// reports its encoders once a second. The process groups of encoders are followed across restarts;
// what an encoder used between the last sample and its end is lost. The capture keeps the stamped
// frames that enter the server, 500,000 at most. A frame of the source and the rendition's frame
// with the same stamp give the encoder's delay. `KeptFrames` says which frames a rendition must
// contain. Publishers begin before the warm-up, and the capture counts nothing until the window is
// known.

import Capture
import Results
import Scenario
import Statistics

/// One encoded rendition in the steady window, as the capture saw it return to the server.
struct EncodedFrames {
    /// Delay from the last byte of a source frame into the server to the last byte of the
    /// rendition's frame with the same stamp.
    var delay = DelayHistogram()
    /// Number of source frames of the window that entered the server and that the rendition's frame
    /// rate keeps; `found` counts those that returned.
    var expected = 0
    var found = 0

    /// - Parameters:
    ///   - source: Frames of the source as they entered the server.
    ///   - rendition: Frames of the rendition as they entered the server.
    ///   - isInWindow: Whether a frame's intended time lies in the window.
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

    /// Share of the expected frames that were found, 0…1; nil if no source frame entered the
    /// server.
    var share: Double? { expected > 0 ? Double(found) / Double(expected) : nil }
}

extension PublisherPlan {
    /// Returns which frames of its source the stream contains. A published stream contains all.
    func keptFrames(of schedule: FrameSchedule?) -> KeptFrames {
        guard let encoded, let rate = schedule?.framesPerSecond else { return .all }
        return KeptFrames(source: rate, rendition: Double(encoded.framesPerSecond))
    }
}
