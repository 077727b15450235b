/// Adds up the media time that has passed, from timestamps in milliseconds that may wrap or jump.
struct MediaClock {
    /// Longest step in milliseconds; a longer one is a jump and adds nothing.
    static let jumpLimit: Int32 = 10_000

    private var last: UInt32?
    private var elapsed = 0
    private var count = 0

    mutating func add(_ timestamp: UInt32) {
        if let last {
            let step = Int32(bitPattern: timestamp &- last)
            if step > 0, step < Self.jumpLimit { elapsed += Int(step) }
        }
        last = timestamp
        count += 1
    }

    /// Duration of the messages in seconds; the last message's duration is estimated as the mean.
    var seconds: Double? {
        count < 2 || elapsed == 0
            ? nil : Double(elapsed) / 1000 * Double(count) / Double(count - 1)
    }
}

/// Payload, messages and media time of one copy of a stream.
struct MediaAccount {
    var payloadBytes = 0
    var audioMessages = 0
    var videoMessages = 0
    var firstNanoseconds: Int64?
    var lastNanoseconds: Int64?
    private var audio = MediaClock()
    private var video = MediaClock()

    mutating func add(_ message: MediaMessage) {
        payloadBytes += message.length
        if message.isVideo { videoMessages += 1 } else { audioMessages += 1 }
        firstNanoseconds = min(firstNanoseconds ?? message.time, message.time)
        lastNanoseconds = max(lastNanoseconds ?? message.time, message.time)
        guard !message.isConfiguration else { return }
        if message.isVideo { video.add(message.timestamp) } else { audio.add(message.timestamp) }
    }

    var messages: Int { audioMessages + videoMessages }

    /// Media time of the messages added, in seconds; the video's if there is video.
    var mediaSeconds: Double? { video.seconds ?? audio.seconds }
}
