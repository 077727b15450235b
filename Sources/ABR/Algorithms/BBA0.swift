/// Buffer-based adaptation BBA-0 (Huang et al.: "A Buffer-Based Approach to Rate Adaptation",
/// SIGCOMM 2014): the buffer alone maps to a bit rate, linearly between reservoir and cushion.
public struct BBA0: ABRAlgorithm {
    /// Shares of the maximum buffer: the paper has 90 s and 216 s of 240 s.
    public static let reservoirShare = 90.0 / 240
    public static let upperShare = 216.0 / 240

    private let reservoir: Double
    private let upper: Double

    /// - Parameter maximumBuffer: Largest amount of media in the buffer (ms); reservoir and cushion
    ///   are the paper's shares of it. The paper leaves 24 s above the cushion, which are six
    ///   segments. If less than one segment would be left, the cushion ends one segment below the
    ///   maximum, because the top rendition would be out of reach otherwise.
    public init(title: Title, maximumBuffer: Double) {
        reservoir = Self.reservoirShare * maximumBuffer
        upper = Self.upperLevel(title, maximumBuffer: maximumBuffer)
    }

    /// Buffer level from which on the highest rendition is chosen (ms).
    static func upperLevel(_ title: Title, maximumBuffer: Double) -> Double {
        min(upperShare * maximumBuffer, maximumBuffer - title.segmentDuration)
    }

    public mutating func decide(_ state: PlayerState) -> Decision {
        Decision(
            rendition: Self.rendition(
                state.title.bitrates, last: max(state.lastRendition, 0),
                suggested: map(state.bufferLevel, state.title.bitrates)))
    }

    /// The paper's f(B), in kbit/s.
    private func map(_ level: Double, _ bitrates: [Double]) -> Double {
        let (lowest, highest) = (bitrates[0], bitrates[bitrates.count - 1])
        if level <= reservoir { return lowest }
        if level >= upper { return highest }
        return lowest + (highest - lowest) * (level - reservoir) / (upper - reservoir)
    }

    /// Keeps the rendition until the map passes the next one above or below.
    static func rendition(_ rates: [Double], last: Int, suggested: Double) -> Int {
        let top = rates.count - 1
        let above = last == top ? rates[top] : rates[last + 1]
        let below = last == 0 ? rates[0] : rates[last - 1]
        if suggested <= rates[0] { return 0 }
        if suggested >= rates[top] { return top }
        if suggested >= above { return rates.lastIndex { $0 < suggested } ?? 0 }
        if suggested <= below { return rates.firstIndex { $0 > suggested } ?? top }
        return last
    }

    /// Pensieve's simplification ("BB"): below 5 s the lowest rendition, from 15 s the highest.
    /// - Parameter buffer: s
    static func pensieveRendition(buffer: Double, renditionCount: Int) -> Int {
        if buffer < 5 { return 0 }
        if buffer >= 15 { return renditionCount - 1 }
        return Int(Double(renditionCount - 1) * (buffer - 5) / 10)
    }
}
