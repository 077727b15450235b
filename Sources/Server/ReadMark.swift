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

    private var largestAudio = 0
    private var smallestVideo = Int.max
    private var frames = 0
    private var hasRead = false
    /// Bytes that the socket must hold before the loop reads; 1 = any.
    private(set) var bytes = 1

    /// Counts a message of the present second.
    mutating func count(_ unit: MediaUnit) {
        guard !unit.isSequenceHeader else { return }
        switch unit.kind {
        case .audio, .data: largestAudio = max(largestAudio, unit.payload.readableBytes)
        case .video:
            frames += 1
            smallestVideo = min(smallestVideo, unit.payload.readableBytes)
            // The next frame may be as small, and video never waits.
            if unit.payload.readableBytes < bytes { bytes = 1 }
        }
    }

    /// Chooses the mark for the next second.
    mutating func judge(isLoaded: Bool) {
        let waiting = Self.audioMessages * (largestAudio + Self.headerBytes)
        let isWorth = isLoaded && frames >= Self.leastFrames && largestAudio > 0
        // A publisher with a new mark has a whole period; one that is silent gets no longer one.
        if bytes == 1 { hasRead = true }
        bytes = isWorth && waiting < min(smallestVideo, Self.limit) ? waiting + 1 : 1
        (largestAudio, smallestVideo, frames) = (0, .max, 0)
    }

    /// Notes that the loop has read from the publisher.
    mutating func noteRead() { hasRead = true }

    /// Gives the mark up if nothing was read since the last call.
    mutating func loseIfSilent() {
        if !hasRead { bytes = 1 }
        hasRead = false
    }
}
