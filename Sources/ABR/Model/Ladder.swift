import SimulationKernel

/// A set of renditions from which titles are generated.
public struct Ladder: Hashable, Sendable {
    public struct Rendition: Hashable, Sendable {
        /// Bit rate in kbit/s, audio included.
        public var bitrate: Double
        /// Height in pixels.
        public var height: Int

        public init(bitrate: Double, height: Int) {
            self.bitrate = bitrate
            self.height = height
        }
    }

    public var name: String
    /// Renditions, ascending by bit rate.
    public var renditions: [Rendition]

    public init(name: String, renditions: [Rendition]) {
        self.name = name
        self.renditions = renditions
    }

    private init(_ name: String, _ renditions: [(Double, Int)]) {
        self.init(name: name, renditions: renditions.map { Rendition(bitrate: $0.0, height: $0.1) })
    }

    /// The four renditions of the edge paper.
    public static let edge = Ladder(
        "edge-ladder", [(264, 240), (878, 360), (1128, 480), (2628, 720)])
    /// H.264 rates of Apple's HLS authoring specification, up to 1080p.
    public static let apple = Ladder(
        "apple",
        [
            (145, 234), (365, 270), (730, 360), (1100, 432), (2000, 540), (3000, 720),
            (4500, 720), (6000, 1080), (7800, 1080),
        ])
    /// Six renditions in equal ratio, from 300 kbit/s to 6 Mbit/s.
    public static let geometric = Ladder(
        "geometric",
        [(300, 240), (546, 288), (994, 360), (1810, 480), (3296, 720), (6000, 1080)])

    public static let presets = [edge, apple, geometric]

    /// Makes a title of this ladder.
    /// - Parameters:
    ///   - segmentDuration: ms.
    ///   - variation: deviation of segment sizes from the average, as a share of it (0 is CBR).
    ///     Sizes are log-normal with the same mean; a segment has the same complexity on every
    ///     rendition.
    ///   - seed: seed of the complexities.
    public func title(
        segmentDuration: Double, segmentCount: Int, variation: Double, seed: UInt64
    ) throws(TitleError) -> Title {
        guard segmentCount > 0, segmentCount <= Title.mostSegments else {
            throw TitleError(
                reason: "the title has \(segmentCount) segments: give it 1 to "
                    + "\(Title.mostSegments), by another duration or segment_duration")
        }
        var generator = SeededGenerator(seed: seed, entity: "title")
        let complexities = Self.complexities(segmentCount, variation: variation, using: &generator)
        return try Title(
            name: name, segmentDuration: segmentDuration, bitrates: renditions.map(\.bitrate),
            sizes: complexities.map { complexity in
                renditions.map { ($0.bitrate * segmentDuration * complexity).rounded() }
            }, heights: renditions.map(\.height))
    }

    /// Returns sizes of segments relative to the average, log-normal with mean 1.
    static func complexities(
        _ count: Int, variation: Double, using generator: inout SeededGenerator
    ) -> [Double] {
        guard variation > 0 else { return Array(repeating: 1, count: count) }
        let raw = (0..<count).map { _ in exponential(variation * normal(&generator)) }
        let mean = raw.reduce(0, +) / Double(count)
        return raw.map { $0 / mean }
    }

    /// Returns the sum of twelve uniform draws less six. It is sufficiently normal for sizes, and
    /// the same on every platform.
    private static func normal(_ generator: inout SeededGenerator) -> Double {
        (0..<12).reduce(-6) { sum, _ in sum + generator.nextUnit() }
    }
}
