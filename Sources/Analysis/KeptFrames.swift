/// The frames of a source that a rendition keeps, by the ratio of their frame rates.
///
/// The encoder takes the first frame in each slot of 1/fps. If a slot holds n frames of the source,
/// the rendition has every n-th frame, and a frame that arrived shows which of the n it is. If the
/// ratio is not a whole number, only the number of kept frames is known, and a range may hold one
/// frame more than is counted.
struct KeptFrames: Sendable, Equatable {
    /// Number of source frames for each frame of the rendition, at least 1.
    let step: Double

    /// - Parameters:
    ///   - source: Frames per second of the source.
    ///   - rendition: Maximum frames per second of the rendition.
    init(source: Double, rendition: Double) {
        let ratio = source / rendition
        // Timestamps are in milliseconds, so a measured rate is slightly wrong.
        step = max(1, abs(ratio - ratio.rounded()) < 0.02 ? ratio.rounded() : ratio)
    }

    static let all = KeptFrames(source: 1, rendition: 1)

    /// Returns how many of these frames are kept. The frames need not be consecutive.
    ///
    /// - Parameter seen: Number of a frame that was kept; nil = no frame came.
    func count(of frames: some Collection<UInt64>, seen: UInt64?) -> Int {
        guard step > 1, step == step.rounded(), let seen else {
            return Int(Double(frames.count) / step)
        }
        let every = UInt64(step)
        return frames.count { $0 % every == seen % every }
    }

    /// Returns how many frames of a range are kept.
    ///
    /// - Parameter seen: Number of a frame that was kept; nil = no frame came.
    func count(in frames: Range<UInt64>, seen: UInt64?) -> Int {
        let length = Double(frames.upperBound - frames.lowerBound)
        guard step > 1 else { return Int(length) }
        guard step == step.rounded(), let seen else { return Int(length / step) }
        let every = UInt64(step)
        // This is the distance from the start of the range to its first kept frame, which is a
        // multiple of `every` away from the seen frame.
        let offset = (seen % every + every - frames.lowerBound % every) % every
        let span = frames.upperBound - frames.lowerBound
        return span > offset ? Int((span - offset - 1) / every) + 1 : 0
    }
}
