import NIOCore

/// How many bytes of a publisher's small messages may wait in its socket until the loop reads them
/// (SO_RCVLOWAT).
///
/// Under load, audio waits for the next video frame anyway (`FlushPolicy`). Without the mark it
/// wakes the loop, which reads it and then waits; with the mark the kernel keeps it, and it is read
/// together with the frame. That saves two of three reads of a usual stream. The mark is smaller
/// than every recent video frame, holds only between two messages, and is given up for a publisher
/// that nothing was read from for a moment: the end of a frame, a command or audio without video
/// waits for 40 ms at the most.
struct ReadMark {
    /// Milliseconds after which a publisher without a read gives up its mark.
    static let patienceMilliseconds: Int64 = 40
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
        }
    }

    /// Chooses the mark for the next second.
    mutating func judge(isLoaded: Bool) {
        let waiting = Self.audioMessages * (largestAudio + Self.headerBytes)
        let isWorth = isLoaded && frames >= Self.leastFrames && largestAudio > 0
        bytes = isWorth && waiting < min(smallestVideo, Self.limit) ? waiting + 1 : 1
        (largestAudio, smallestVideo, frames) = (0, .max, 0)
        hasRead = true
    }

    /// Notes that the loop has read from the publisher.
    mutating func noteRead() { hasRead = true }

    /// Gives the mark up if nothing was read since the last call.
    mutating func loseIfSilent() {
        if !hasRead { bytes = 1 }
        hasRead = false
    }
}
