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
/// acknowledged, which takes the kernel up to 40 ms. So the mean lag of the video frames in the
/// first second with a mark is compared with the second before, and a publisher whose frames come
/// later has no mark any more.
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
    /// Microseconds by which video frames may come later in the first second with a mark.
    private static let toleratedMicroseconds: Int64 = 3000
    /// Largest lag that is counted for one frame, in microseconds; timestamps are the publisher's.
    private static let lagLimit: Int64 = 10_000_000

    private var largestAudio = 0
    private var smallestVideo = Int.max
    private var frames = 0
    private var hasRead = false
    /// Sum of the video frames' lags in the present second, in microseconds. A lag is the time of
    /// arrival less the timestamp, and is counted from the lag of the first frame.
    private var lagSum: Int64 = 0
    private var firstLag: Int64?
    /// Mean lag in the second before the first one with a mark; nil = there is nothing to compare.
    private var lagBefore: Int64?
    /// Whether a mark was chosen for the present second.
    private var isChosen = false
    /// Whether the mark has delayed video frames.
    private var delaysVideo = false
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
            let first = firstLag ?? lag
            firstLag = first
            lagSum += min(max(lag - first, -Self.lagLimit), Self.lagLimit)
            smallestVideo = min(smallestVideo, unit.payload.readableBytes)
            // The next frame may be as small, and video never waits.
            if unit.payload.readableBytes < bytes { bytes = 1 }
        }
    }

    /// Chooses the mark for the next second.
    mutating func judge(isLoaded: Bool) {
        let lag = frames > 0 ? lagSum / Int64(frames) : 0
        if let lagBefore, frames > 0, lag - lagBefore > Self.toleratedMicroseconds {
            delaysVideo = true
        }
        let waiting = Self.audioMessages * (largestAudio + Self.headerBytes)
        let isWorth =
            isLoaded && !delaysVideo && frames >= Self.leastFrames && largestAudio > 0
        let wasChosen = isChosen
        isChosen = isWorth && waiting < min(smallestVideo, Self.limit)
        // A publisher with a new mark has a whole period; one that is silent gets no longer one.
        if bytes == 1 { hasRead = true }
        bytes = isChosen ? waiting + 1 : 1
        (largestAudio, smallestVideo, frames, lagSum) = (0, .max, 0, 0)
        lagBefore = isChosen && !wasChosen ? lag : nil
        if lagBefore == nil { firstLag = nil }
    }

    /// Notes that the loop has read from the publisher.
    mutating func noteRead() { hasRead = true }

    /// Gives the mark up if nothing was read since the last call.
    mutating func loseIfSilent() {
        if !hasRead { bytes = 1 }
        hasRead = false
    }
}
