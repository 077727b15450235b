import CLinux
import Foundation
import Glibc
import Sockets

/// Frames of many TCP connections from one server port, without an end: from each connection two
/// data packets to the client, then the client's acknowledgement. The frames follow from their
/// numbers, so no connection exists.
enum LoopbackFrames {
    static let serverPort: UInt16 = 1935
    /// Largest number of bytes of a frame.
    static let stride = 192
    private static let connections = 64
    private static let headerBytes = 66
    private static let payloadBytes = 100

    /// Writes the frame with this number, 0 or more, and returns its length.
    ///
    /// - Parameter base: Room for `stride` bytes, which are 0 or hold an earlier frame.
    static func write(_ number: Int, at base: UnsafeMutableRawPointer) -> Int {
        let place = number % 3
        let isData = place < 2
        let connection = number / 3 % connections
        // Number of data packets of the connection before this frame.
        let before = number / (3 * connections) * 2 + place
        let sequence = UInt32(truncatingIfNeeded: 1 + before * payloadBytes)
        let length = headerBytes + (isData ? payloadBytes : 0)
        let clientPort = UInt16(40_000 + connection)
        func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
            base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: T.self)
        }
        store(UInt16(0x0800), at: 12)
        store(UInt16(0x4500), at: 14)
        store(UInt16(length - 14), at: 16)
        store(UInt16(truncatingIfNeeded: number), at: 18)
        // No fragments; 64 hops, TCP. The checksum stays 0, which is wrong, so that the kernel
        // drops the packet once the captures have seen it.
        store(UInt32(0x4000_4006), at: 20)
        // The server is 10.79.0.1, the client 10.79.0.2.
        store(UInt32(isData ? 0x0A4F_0001 : 0x0A4F_0002), at: 26)
        store(UInt32(isData ? 0x0A4F_0002 : 0x0A4F_0001), at: 30)
        store(isData ? serverPort : clientPort, at: 34)
        store(isData ? clientPort : serverPort, at: 36)
        store(isData ? sequence : 1, at: 38)
        store(isData ? 1 : sequence, at: 42)
        // A header of 32 bytes; ACK, for data with PSH.
        store(UInt16(isData ? 0x8018 : 0x8010), at: 46)
        store(UInt16(500), at: 48)
        // Timestamps (RFC 7323).
        store(UInt32(0x0101_080A), at: 54)
        return length
    }
}

/// Sends loopback frames at a constant rate.
struct LoopbackSender: Sendable {
    struct Outcome: Sendable {
        var sent = 0
        var seconds = 0.0
    }

    private static let framesAtOnce = 64
    private static let tickNanoseconds: Int64 = 1_000_000

    var packets: Int
    /// Packets in a second.
    var rate: Int
    /// CPU of the sending thread; nil = any.
    var cpu: Int?

    /// Sends all packets from a thread of its own. Takes three times the due time and 10 s at most.
    /// - Throws: `BenchError` if the kernel does not take the frames.
    func send() async throws -> Outcome {
        try await withCheckedThrowingContinuation { continuation in
            Thread { continuation.resume(with: Result { try run() }) }.start()
        }
    }

    private func run() throws -> Outcome {
        if let cpu { _ = millrace_set_affinity(1 << UInt64(cpu)) }
        Clock.sharpenTimers()
        let descriptor = millrace_open_frame_sender("lo")
        guard descriptor >= 0 else {
            throw BenchError("cannot send frames: \(String(cString: strerror(-descriptor)))")
        }
        defer { close(descriptor) }
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.framesAtOnce * LoopbackFrames.stride, alignment: 64)
        defer { memory.deallocate() }
        _ = memory.initializeMemory(as: UInt8.self, repeating: 0)
        guard let base = memory.baseAddress else { throw BenchError("there is no memory") }
        let start = Clock.monotonicNanoseconds()
        let deadline = start + Int64(3e9 * Double(packets) / Double(rate)) + 10_000_000_000
        // A sender that was held up does not make up for more than 20 ms.
        let mostBehind = max(Self.framesAtOnce, rate / 50)
        var sent = 0
        var origin = start
        var now = start
        while sent < packets, now < deadline {
            let due = min(packets, Int(Double(now - origin) * Double(rate) / 1e9))
            if due - sent > mostBehind {
                origin += Int64(Double(due - sent - mostBehind) * 1e9 / Double(rate))
            }
            let until = min(due, sent + mostBehind)
            while sent < until {
                let taken = try send(from: sent, count: until - sent, base, descriptor)
                // Frames that the kernel does not take wait for the next tick.
                guard taken > 0 else { break }
                sent += taken
            }
            now = Self.sleep(until: now + Self.tickNanoseconds)
        }
        return Outcome(
            sent: sent, seconds: Double(Clock.monotonicNanoseconds() - start) / 1e9)
    }

    /// Returns the number of frames that the kernel took.
    private func send(
        from first: Int, count: Int, _ base: UnsafeMutableRawPointer, _ descriptor: Int32
    ) throws -> Int {
        let count = min(count, Self.framesAtOnce)
        var lengths = [UInt16](repeating: 0, count: count)
        for i in 0..<count {
            lengths[i] = UInt16(
                LoopbackFrames.write(first + i, at: base + i * LoopbackFrames.stride))
        }
        let taken = millrace_send_frames(
            descriptor, base, Int32(LoopbackFrames.stride), lengths, Int32(count))
        guard taken < 0 else { return Int(taken) }
        if [EINTR, EAGAIN, ENOBUFS].contains(-taken) { return 0 }
        throw BenchError("cannot send frames: \(String(cString: strerror(-taken)))")
    }

    /// Sleeps until a time, if it has not passed, and returns the present time.
    private static func sleep(until instant: Int64) -> Int64 {
        var time = timespec(
            tv_sec: Int(instant / 1_000_000_000), tv_nsec: Int(instant % 1_000_000_000))
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil)
        return Clock.monotonicNanoseconds()
    }
}
