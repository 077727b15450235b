import NIOCore

/// How many bytes of a publisher's small messages may wait in its socket until the loop reads them
/// (SO_RCVLOWAT).
///
/// Under load, audio waits for the next video frame anyway (`FlushPolicy`). Without the mark it
/// wakes the loop, which reads it and then waits; with the mark the kernel keeps it, and it is read
/// together with the frame. That saves two of three reads of a usual stream. The mark is smaller
/// than every video frame of the last second, and holds only between two messages. It is given up
/// for the rest of a second in which a smaller video frame comes, and for a publisher that nothing
/// was read from in a whole period of `periodMilliseconds`. The last read may lie just behind the
/// beginning of the period before, so a command, a very small frame or audio without video waits
/// for two periods at the most, which is 80 ms. The end of a connection never waits.
///
/// What is not read is not acknowledged at once. A publisher with Nagle's algorithm (ffmpeg has it
/// unless it is given `-tcp_nodelay 1`) holds the next frame back until the audio before it is
/// acknowledged, which takes the kernel up to 40 ms. So the median lag of the video frames in each
/// second with a mark is compared with the second before. A publisher whose frames come later has no
/// mark for a while: 10 s, and twice as long each further time.
struct ReadMark {
    /// Milliseconds between two looks at the publishers with a mark. It is the time between two
    /// frames of the slowest usual stream, so that such a stream keeps its mark.
    static let periodMilliseconds: Int64 = 40
    /// Audio messages that may wait; between two frames come one or two.
    private static let audioMessages = 3
    /// Largest header of a message in bytes.
    private static let headerBytes = 18
    private static let limit = 16 << 10
    /// Least number of video frames a second for which a mark is worth its calls.
    private static let leastFrames = 15
    /// Microseconds by which video frames may come later in a second with a mark than in the second
    /// before.
    private static let toleratedMicroseconds: Int64 = 3000
    /// Seconds without a mark when video frames have come later, the first time and at the most.
    private static let firstPauseSeconds = 10
    private static let longestPauseSeconds = 3600
    /// Largest lag that is counted for one frame, in microseconds; timestamps are the publisher's.
    private static let lagLimit: Int64 = 10_000_000
    /// Number of frames of a second whose lags are kept.
    private static let lagCount = 64

    private var largestAudio = 0
    private var smallestVideo = Int.max
    private var frames = 0
    private var hasRead = false
    /// Lags of the video frames in the present second, in microseconds: the time of arrival less the
    /// timestamp.
    private var lags: [Int64] = []
    /// Lag from which the others are counted; nil before the first frame. In a second with a mark it
    /// is the median lag of the second before.
    private var usualLag: Int64?
    /// Whether a mark was chosen for the present second.
    private var isChosen = false
    /// Seconds for which no mark is chosen, because it has delayed video frames.
    private var pauseSeconds = 0
    private var nextPauseSeconds = ReadMark.firstPauseSeconds
    /// Bytes that the socket must hold before the loop reads; 1 = any.
    private(set) var bytes = 1

    /// Counts a message of the present second.
    ///
    /// - Parameter now: Present time of any clock in microseconds; it matters for video only.
    mutating func count(_ unit: MediaUnit, nowMicroseconds now: Int64) {
        guard !unit.isSequenceHeader else { return }
        switch unit.kind {
        case .audio, .data: largestAudio = max(largestAudio, unit.payload.readableBytes)
        case .video:
            frames += 1
            let lag = now - 1000 * Int64(unit.timestamp)
            let usual = usualLag ?? lag
            usualLag = usual
            if lags.count < Self.lagCount {
                lags.append(min(max(lag - usual, -Self.lagLimit), Self.lagLimit))
            }
            smallestVideo = min(smallestVideo, unit.payload.readableBytes)
            // The next frame may be as small, and video never waits.
            if unit.payload.readableBytes < bytes { bytes = 1 }
        }
    }

    /// Chooses the mark for the next second.
    mutating func judge(isLoaded: Bool) {
        // The median, because a moment in which the machine stood still delays a few frames, too.
        let lag = lags.isEmpty ? 0 : lags.sorted()[lags.count / 2]
        lags.removeAll(keepingCapacity: true)
        if pauseSeconds > 0 { pauseSeconds -= 1 }
        if isChosen, lag > Self.toleratedMicroseconds {
            pauseSeconds = nextPauseSeconds
            nextPauseSeconds = min(2 * nextPauseSeconds, Self.longestPauseSeconds)
        }
        let waiting = Self.audioMessages * (largestAudio + Self.headerBytes)
        let isWorth =
            isLoaded && pauseSeconds == 0 && frames >= Self.leastFrames && largestAudio > 0
        isChosen = isWorth && waiting < min(smallestVideo, Self.limit)
        // A publisher with a new mark has a whole period; one that is silent gets no longer one.
        if bytes == 1 { hasRead = true }
        bytes = isChosen ? waiting + 1 : 1
        (largestAudio, smallestVideo, frames) = (0, .max, 0)
        usualLag = isChosen ? usualLag.map { $0 + lag } : nil
    }

    /// Notes that the loop has read from the publisher.
    mutating func noteRead() { hasRead = true }

    /// Gives the mark up if nothing was read since the last call.
    mutating func loseIfSilent() {
        if !hasRead { bytes = 1 }
        hasRead = false
    }
}
