/// Buffer-based adaptation BBA-2 (Huang et al., SIGCOMM 2014, section 6). At the start, while the
/// buffer says little, it goes up a rendition whenever a segment came fast enough; then it is
/// BBA-1.
public struct BBA2: ABRAlgorithm {
    /// Share of the segment's duration that a download must leave for a step up, while the buffer
    /// is empty: the segment came 8 times as fast as it plays.
    public static let thresholdWhenEmpty = 0.875
    /// The same share at the end of the cushion: the segment came twice as fast as it plays.
    public static let thresholdWhenFull = 0.5

    private let steady: BBA1
    private var isStarting = true
    /// Rest of its segment's duration that the last download left (ms); NaN before the first
    /// download.
    private var gain = Double.nan

    /// - Parameter maximumBuffer: largest amount of media in the buffer (ms).
    public init(title: Title, maximumBuffer: Double) {
        steady = BBA1(title: title, maximumBuffer: maximumBuffer)
    }

    public mutating func decide(_ state: PlayerState) -> Decision {
        let mapped = steady.rendition(state)
        guard isStarting else { return Decision(rendition: mapped) }
        let last = max(state.lastRendition, 0)
        // The start is over if the buffer shrinks or the map has caught up.
        if gain < 0 || mapped > last {
            isStarting = false
            return Decision(rendition: mapped)
        }
        let isFast = gain > threshold(state.bufferLevel) * state.title.segmentDuration
        return Decision(rendition: isFast ? min(last + 1, state.title.renditionCount - 1) : last)
    }

    /// Returns the threshold, which falls linearly from the empty buffer to the end of the cushion.
    func threshold(_ level: Double) -> Double {
        let share = steady.upper > 0 ? min(level / steady.upper, 1) : 1
        return Self.thresholdWhenEmpty + (Self.thresholdWhenFull - Self.thresholdWhenEmpty) * share
    }

    public mutating func downloaded(_ progress: DownloadProgress, _ state: PlayerState) {
        guard progress.abandonedFor == nil else { return }
        gain = state.title.segmentDuration - progress.elapsed
    }

    public mutating func seeked(_ state: PlayerState) {
        isStarting = true
        gain = .nan
    }
}
