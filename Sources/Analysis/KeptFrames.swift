/// Which of a source's frames a rendition keeps, by the ratio of their frame rates.
///
/// The encoder takes the first frame of each slot of 1/fps. Where the source has n frames a slot, the
/// rendition has every n-th; which of the n is read off a frame that came. Where the ratio is no whole
/// number only how many are kept is known, and a stretch may hold one more than is counted.
struct KeptFrames: Sendable, Equatable {
    /// Source frames to one of the rendition's, 1 or more.
    let step: Double

    /// - Parameters:
    ///   - source: frames a second.
    ///   - rendition: frames a second at most.
    init(source: Double, rendition: Double) {
        let ratio = source / rendition
        // Timestamps in milliseconds: a rate that is measured is a little off.
        step = max(1, abs(ratio - ratio.rounded()) < 0.02 ? ratio.rounded() : ratio)
    }

    static let all = KeptFrames(source: 1, rendition: 1)

    /// How many of these frames, which need not follow on each other, are kept.
    ///
    /// - Parameter seen: a frame that was; nil = none came.
    func count(of frames: some Collection<UInt64>, seen: UInt64?) -> Int {
        guard step > 1, step == step.rounded(), let seen else {
            return Int(Double(frames.count) / step)
        }
        let every = UInt64(step)
        return frames.count { $0 % every == seen % every }
    }

    /// How many of these frames are kept.
    ///
    /// - Parameter seen: a frame that was; nil = none came.
    func count(in frames: Range<UInt64>, seen: UInt64?) -> Int {
        let length = Double(frames.upperBound - frames.lowerBound)
        guard step > 1 else { return Int(length) }
        guard step == step.rounded(), let seen else { return Int(length / step) }
        let every = UInt64(step)
        // From the first number of the range that is as far from the seen one as every other.
        let offset = (seen % every + every - frames.lowerBound % every) % every
        let span = frames.upperBound - frames.lowerBound
        return span > offset ? Int((span - offset - 1) / every) + 1 : 0
    }
}
