/// Facts about a title that a player knows: its ladder, and the size of each segment on each
/// rendition.
///
/// The module's units are milliseconds, bits and kbit/s (bits per millisecond), as `Double`, so
/// that size / rate = time without a factor.
public final class Title: Sendable {
    public let name: String
    /// Media time per segment (ms), > 0.
    public let segmentDuration: Double
    /// Average bit rate per rendition (kbit/s), ascending, > 0; rendition 0 is the lowest.
    public let bitrates: [Double]
    /// Frame height per rendition (pixels), 0 if unknown.
    public let heights: [Int]
    /// Quality per rendition on a scale of the ladder's own (for example VMAF), empty if unknown.
    public let qualities: [Double]
    /// Number of segments of the title; a live title repeats them.
    public let segmentCount: Int
    /// Sizes in bits, segment-major: `sizes[segment * renditions + rendition]`.
    let sizes: [Double]
    /// ln(bitrate / lowest bitrate) per rendition.
    public let utilities: [Double]

    /// Highest bit rate of a segment per rendition (kbit/s), which an HLS playlist calls BANDWIDTH.
    let peakBitrates: [Double]

    /// Pensieve's HD reward per rendition.
    let hdRewards: [Double]

    /// Returns Pensieve's HD reward of a bit rate: that of the nearest rendition of its ladder at
    /// or below the rate.
    private static func hdReward(_ bitrate: Double) -> Double {
        let table: [(Double, Double)] = [
            (300, 1), (750, 2), (1200, 3), (1850, 12), (2850, 15), (4300, 20),
        ]
        return table.last { $0.0 <= bitrate }?.1 ?? 1
    }

    /// The rendition as which each rendition counts for quality: if the screen cannot show a
    /// rendition, the highest one that it can show. Players ignore this property in their
    /// decisions.
    let countsAs: [Int]

    public var renditionCount: Int { bitrates.count }

    private static func visible(
        _ renditions: Range<Int>, _ heights: [Int], _ screenHeight: Int
    ) -> [Int] {
        guard !heights.isEmpty else { return Array(renditions) }
        let highest = renditions.last { heights[$0] <= screenHeight } ?? 0
        return renditions.map { heights[$0] <= screenHeight ? $0 : min($0, highest) }
    }

    /// Largest number of segments of a generated title.
    public static let mostSegments = 1_000_000
    /// Allowed durations of a segment in ms; shorter ones would need more segments than an integer
    /// or the memory can hold.
    static let segmentDurations = 1.0...86_400_000
    /// Highest bit rate in kbit/s.
    static let highestBitrate = 1e9
    /// Largest size of a segment in bits; sums over a session stay far below the largest `Int` of
    /// bytes.
    static let largestSegment = 1e12

    /// - Parameters:
    ///   - sizes: bits, `sizes[segment][rendition]`.
    ///   - screenHeight: height of the screen in pixels; QoE counts taller renditions as the
    ///     highest one that fits.
    /// - Throws: `TitleError` if the shape or a value is not possible.
    public init(
        name: String, segmentDuration: Double, bitrates: [Double], sizes: [[Double]],
        heights: [Int] = [], qualities: [Double] = [], screenHeight: Int = .max
    ) throws(TitleError) {
        guard Self.segmentDurations.contains(segmentDuration) else {
            throw TitleError(
                reason: "the segment duration is \(segmentDuration) ms: give one from 1 ms to a day"
            )
        }
        guard !bitrates.isEmpty, bitrates.allSatisfy({ $0 > 0 && $0 <= Self.highestBitrate })
        else {
            throw TitleError(
                reason: "bit rates must be positive numbers in kbit/s, one per rendition, up to 1e9"
            )
        }
        guard bitrates.count <= 255 else { throw TitleError(reason: "at most 255 renditions") }
        for rendition in bitrates.indices.dropFirst()
        where bitrates[rendition] <= bitrates[rendition - 1] {
            throw TitleError(
                reason:
                    "bit rates must ascend: \(bitrates[rendition]) follows \(bitrates[rendition - 1])"
            )
        }
        guard !sizes.isEmpty else { throw TitleError(reason: "a title needs at least one segment") }
        for (index, row) in sizes.enumerated() {
            guard row.count == bitrates.count else {
                throw TitleError(
                    segment: index,
                    reason:
                        "\(row.count) sizes for \(bitrates.count) bit rates: give one per rendition"
                )
            }
            guard row.allSatisfy({ $0 > 0 && $0 <= Self.largestSegment }) else {
                throw TitleError(
                    segment: index, reason: "sizes must be positive numbers of bits, up to 1e12")
            }
        }
        guard heights.isEmpty || heights.count == bitrates.count,
            qualities.isEmpty || qualities.count == bitrates.count
        else { throw TitleError(reason: "heights and qualities need one value per rendition") }
        self.name = name
        self.segmentDuration = segmentDuration
        self.bitrates = bitrates
        self.heights = heights.isEmpty ? bitrates.map { _ in 0 } : heights
        self.qualities = qualities
        countsAs = Self.visible(bitrates.indices, heights, screenHeight)
        self.segmentCount = sizes.count
        self.sizes = sizes.flatMap { $0 }
        peakBitrates = bitrates.indices.map { rendition in
            sizes.reduce(0) { max($0, $1[rendition]) } / segmentDuration
        }
        hdRewards = bitrates.map(Self.hdReward)
        utilities = bitrates.map { Self.logarithm($0) - Self.logarithm(bitrates[0]) }
    }

    /// Makes a title of constant bit rate.
    public convenience init(
        name: String, segmentDuration: Double, bitrates: [Double], segmentCount: Int,
        heights: [Int] = [], qualities: [Double] = []
    ) throws(TitleError) {
        guard segmentCount > 0 else {
            throw TitleError(reason: "a title needs at least one segment")
        }
        try self.init(
            name: name, segmentDuration: segmentDuration, bitrates: bitrates,
            sizes: Array(repeating: bitrates.map { $0 * segmentDuration }, count: segmentCount),
            heights: heights, qualities: qualities)
    }

    /// Returns the bits of a segment; beyond the end the title repeats (live).
    @inline(__always)
    public func size(segment: Int, rendition: Int) -> Double {
        sizes[
            (segment < segmentCount ? segment : segment % segmentCount) * bitrates.count + rendition
        ]
    }
}

/// Reason why a title cannot be played.
public struct TitleError: Error, Hashable, CustomStringConvertible {
    /// Index of the faulty segment, if the fault is in one segment.
    public var segment: Int?
    public var reason: String

    public init(segment: Int? = nil, reason: String) {
        self.segment = segment
        self.reason = reason
    }

    public var description: String { segment.map { "segment \($0): \(reason)" } ?? reason }
}
