/// Buffer-based adaptation BBA-1 (Huang et al., SIGCOMM 2014, section 5): the buffer maps to a
/// segment size, and the reservoir covers the need of the following segments beyond the average.
///
/// The paper's times belong to a buffer of 240 s and segments of 4 s; here they are shares of the
/// maximum buffer. The smallest reservoir is the paper's two segments if that is more, because a
/// smaller one would leave nothing for the start of BBA-2.
public struct BBA1: ABRAlgorithm {
    /// Bounds of the reservoir as shares of the maximum buffer: the paper's 8 s and 140 s of 240 s.
    public static let reservoirShares = 8.0 / 240...140.0 / 240
    /// The smallest reservoir in segments (the paper's 8 s), up to BBA-0's share of the buffer.
    public static let reservoirSegments = 2.0
    /// Number of maximum buffers ahead that the reservoir considers (the paper's 480 s of media).
    public static let lookahead = 2.0

    private let maximumBuffer: Double
    /// Upper buffer level in ms.
    let upper: Double
    /// Mean segment sizes of the lowest and the highest rendition (bits).
    private let smallest: Double
    private let largest: Double

    /// - Parameter maximumBuffer: largest amount of media in the buffer (ms).
    public init(title: Title, maximumBuffer: Double) {
        self.maximumBuffer = maximumBuffer
        upper = BBA0.upperLevel(title, maximumBuffer: maximumBuffer)
        smallest = title.bitrates[0] * title.segmentDuration
        largest = title.bitrates[title.renditionCount - 1] * title.segmentDuration
    }

    public mutating func decide(_ state: PlayerState) -> Decision {
        Decision(rendition: rendition(state))
    }

    func rendition(_ state: PlayerState) -> Int {
        let title = state.title
        let reservoir = reservoir(state)
        let level = state.bufferLevel
        if level <= reservoir { return 0 }
        if level >= upper { return title.renditionCount - 1 }
        let suggested = smallest + (largest - smallest) * (level - reservoir) / (upper - reservoir)
        return Self.rendition(
            title, segment: state.segment, last: max(state.lastRendition, 0), suggested: suggested)
    }

    /// Returns the buffer that the lowest rendition needs to play the following segments at its
    /// average rate (ms): the sum over the segments of the download time less the playing time.
    func reservoir(_ state: PlayerState) -> Double {
        let title = state.title
        let count = Int((Self.lookahead * maximumBuffer / title.segmentDuration).rounded(.up))
        let end =
            state.isLive
            ? state.segment + count : min(state.segment + count, title.segmentCount)
        var deficit = 0.0
        for segment in state.segment..<max(end, state.segment) {
            deficit +=
                title.size(segment: segment, rendition: 0) / title.bitrates[0]
                - title.segmentDuration
        }
        let shares = Self.reservoirShares
        let least = max(
            shares.lowerBound * maximumBuffer,
            min(Self.reservoirSegments * title.segmentDuration, BBA0.reservoirShare * maximumBuffer)
        )
        return min(max(deficit, least), shares.upperBound * maximumBuffer)
    }

    /// Keeps the rendition until the suggested size passes that of the next segment one rendition
    /// above or below (the paper's Algorithm 1 with sizes instead of rates).
    static func rendition(_ title: Title, segment: Int, last: Int, suggested: Double) -> Int {
        let top = title.renditionCount - 1
        func size(_ rendition: Int) -> Double { title.size(segment: segment, rendition: rendition) }
        if last < top, suggested >= size(last + 1) {
            var rendition = last + 1
            while rendition < top, size(rendition + 1) < suggested { rendition += 1 }
            return rendition
        }
        if last > 0, suggested <= size(last - 1) {
            var rendition = last - 1
            while rendition > 0, size(rendition - 1) > suggested { rendition -= 1 }
            return rendition
        }
        return last
    }
}
