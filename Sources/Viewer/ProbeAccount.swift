import Media
import NIOCore
import SimulationKernel
import Statistics

/// Account of what one probe has received. It decides for each frame whether the frame belongs to
/// the join burst or the window, and whether it is a duplicate.
struct ProbeAccount {
    private(set) var report: ProbeViewerReport
    var window: Window?
    private var playout: PlayoutBuffer
    let askedAt: Int64
    private var nalUnitLengthSize = 4
    /// The latest timestamp as it came, and its position on a time line that does not wrap, in ms.
    private var lastTimestamp: (raw: UInt32, position: Int64)?
    /// Highest frame number from before the window, or from before the probe's play request.
    private var lastFrameBefore: UInt64?
    private var seen = FrameNumberSet()
    private var atWindowStart: ViewerCounters?
    private var receivedBytes = 0
    /// Payload of audio and video messages until now, in bytes.
    private(set) var payloadBytes = 0
    private var videoMessages = 0
    private var audioMessages = 0
    /// Largest number of frames that are kept one by one.
    private let frameLimit: Int

    init(_ spec: ViewerSpec, askedAt: Int64, frameLimit: Int) {
        report = ProbeViewerReport(index: spec.index, localPort: 0)
        report.askedAtNanoseconds = askedAt
        playout = PlayoutBuffer(targetMilliseconds: spec.playoutBufferMilliseconds, now: askedAt)
        self.askedAt = askedAt
        self.frameLimit = frameLimit
    }

    var localPort: Int {
        get { report.localPort }
        set { report.localPort = newValue }
    }

    private var counters: ViewerCounters {
        var counters = ViewerCounters()
        counters.receivedBytes = receivedBytes
        counters.payloadBytes = payloadBytes
        counters.videoMessages = videoMessages
        counters.audioMessages = audioMessages
        return counters
    }

    mutating func receive(bytes: Int, now: Int64) {
        crossBoundaries(now)
        receivedBytes += bytes
    }

    mutating func crossBoundaries(_ now: Int64) {
        guard let window else { return }
        if atWindowStart == nil, now >= window.startNanoseconds { atWindowStart = counters }
        if !windowIsClosed, now >= window.endNanoseconds, let start = atWindowStart {
            windowIsClosed = true
            report.window = counters - start
        }
    }
    private var windowIsClosed = false

    /// Processes one audio or video message. Returns the corrected delay if the frame counts.
    mutating func receive(
        isVideo: Bool, timestamp: UInt32, payload: ByteBuffer, now: Int64
    ) -> Int64? {
        payloadBytes += payload.readableBytes
        if isVideo { videoMessages += 1 } else { audioMessages += 1 }
        if report.firstMediaNanoseconds == nil { report.firstMediaNanoseconds = now - askedAt }
        if isVideo, let header = VideoTagHeader.parse(payload) {
            if header.isSequenceHeader {
                if let record = configuration(payload, header) {
                    nalUnitLengthSize = record.nalUnitLengthSize
                }
                return nil
            }
        } else if !isVideo, AudioTagHeader.parse(payload)?.isSequenceHeader ?? false {
            return nil
        }
        if report.firstFrameNanoseconds == nil { report.firstFrameNanoseconds = now - askedAt }
        playout.receive(timestampMilliseconds: unwrap(timestamp), now: now)
        guard isVideo,
            let stamp = FrameStamp.find(
                inVideoPayload: payload, nalUnitLengthSize: nalUnitLengthSize)
        else { return nil }
        return receive(stamp, now: now)
    }

    /// Returns the milliseconds since the first message. Timestamps wrap at 2^32, and a step counts
    /// in the direction in which it is shorter.
    private mutating func unwrap(_ timestamp: UInt32) -> Int64 {
        let step = lastTimestamp.map { Int64(Int32(bitPattern: timestamp &- $0.raw)) } ?? 0
        // Timestamps come from the network: the position is limited, so that it can be stated in
        // ns.
        let position = min(max((lastTimestamp?.position ?? 0) + step, -(1 << 40)), 1 << 40)
        lastTimestamp = (timestamp, position)
        return position
    }

    private func configuration(
        _ payload: ByteBuffer, _ header: VideoTagHeader
    ) -> AVCDecoderConfigurationRecord? {
        guard header.codec.isAVC,
            let body = payload.getSlice(
                at: payload.readerIndex + header.headerLength,
                length: payload.readableBytes - header.headerLength)
        else { return nil }
        return try? AVCDecoderConfigurationRecord(parsing: body)
    }

    private mutating func receive(_ stamp: FrameStamp, now: Int64) -> Int64? {
        report.streamID = stamp.streamID
        guard seen.insert(stamp.frameNumber) else {
            report.duplicateFrames += 1
            return nil
        }
        guard stamp.intendedNanoseconds >= askedAt else {
            report.joinBurstFrames += 1
            lastFrameBefore = max(lastFrameBefore ?? 0, stamp.frameNumber)
            return nil
        }
        let delay = now &- stamp.intendedNanoseconds
        if let window, stamp.intendedNanoseconds < window.startNanoseconds {
            lastFrameBefore = max(lastFrameBefore ?? 0, stamp.frameNumber)
        }
        guard window?.contains(stamp.intendedNanoseconds) ?? true else { return nil }
        report.windowFrames += 1
        report.firstWindowFrame = min(report.firstWindowFrame ?? .max, stamp.frameNumber)
        report.lastWindowFrame = max(report.lastWindowFrame ?? 0, stamp.frameNumber)
        report.delay.record(nanoseconds: delay)
        report.uncorrectedDelay.record(
            nanoseconds: delay &- Int64(stamp.latenessMicroseconds) * 1000)
        if report.frames.count < frameLimit {
            report.frames.append(
                ProbeFrame(
                    frameNumber: stamp.frameNumber,
                    intendedNanoseconds: stamp.intendedNanoseconds,
                    latenessMicroseconds: stamp.latenessMicroseconds, arrivalNanoseconds: now))
        }
        return delay
    }

    mutating func fail(_ reason: String, now: Int64) {
        if report.failure == nil { report.failure = reason }
        end(now: now)
    }

    /// Ends the account of a probe that left or was cut off before the end.
    mutating func end(now: Int64) {
        if report.endedAtNanoseconds == nil { report.endedAtNanoseconds = now }
    }

    /// Goes on with the account of a stream that came back after its end.
    mutating func resume() { report.endedAtNanoseconds = nil }

    mutating func finish(now: Int64) -> ProbeViewerReport {
        crossBoundaries(now)
        playout.finish(now: now)
        if window == nil {
            report.window = counters
        } else if !windowIsClosed, let start = atWindowStart {
            report.window = counters - start
        }
        report.total = counters
        report.startupNanoseconds = playout.startupNanoseconds
        report.stallCount = playout.stallCount
        report.stallNanoseconds = playout.stallNanoseconds
        report.playedNanoseconds = playout.playedNanoseconds
        // Numbers come from the network: the sums stay in range for any of them.
        if let first = report.firstWindowFrame, let last = report.lastWindowFrame {
            report.missingFrames = max(0, Int(clamping: last - first) - (report.windowFrames - 1))
        }
        report.firstDueFrame =
            lastFrameBefore.map { $0 == .max ? $0 : $0 + 1 } ?? report.firstWindowFrame
        return report
    }
}

/// The set of those of the last 4,096 frame numbers that have come; older numbers count as
/// contained.
struct FrameNumberSet {
    private var bits = [UInt64](repeating: 0, count: 64)
    private var highest: UInt64?

    /// Adds a number. Returns false if the number has come before.
    mutating func insert(_ number: UInt64) -> Bool {
        let size = UInt64(bits.count * 64)
        if let highest, number <= highest {
            guard highest - number < size else { return false }
        } else {
            let from = highest.map { $0 + 1 } ?? number
            if number - from >= size {
                for i in bits.indices { bits[i] = 0 }
            } else {
                for passed in from...number { clear(passed) }
            }
            highest = number
        }
        let (word, bit) = (Int(number % size / 64), number % 64)
        guard bits[word] >> bit & 1 == 0 else { return false }
        bits[word] |= 1 << bit
        return true
    }

    private mutating func clear(_ number: UInt64) {
        let size = UInt64(bits.count * 64)
        bits[Int(number % size / 64)] &= ~(1 << (number % 64))
    }
}
