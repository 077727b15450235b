import Glibc
import NIOCore
import Sockets
import Statistics
import Synchronization
import TestSupport
import Testing

@testable import Server

/// Sender threads by themselves, on pairs of sockets.
@Suite(.timeLimit(.minutes(1))) struct SenderThreadTests {
    /// Two connected sockets; the first one takes little at once.
    private final class Pair {
        let near: Int32
        let far: TCPSocket

        init() throws {
            var ends: [Int32] = [-1, -1]
            let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            let code = socketpair(AF_UNIX, kind, 0, &ends)
            try #require(code == 0)
            near = ends[0]
            far = TCPSocket(descriptor: ends[1])
            var size: Int32 = 4096
            setsockopt(near, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }

        /// Waits for so many bytes.
        func receive(_ count: Int) async throws -> [UInt8] {
            var bytes: [UInt8] = []
            while bytes.count < count {
                bytes += try #require(try await far.receive()).readableBytesView
            }
            return bytes
        }

        deinit { close(near) }
    }

    /// An answer that a thread gives.
    private final class Answer: Sendable {
        private let state = Mutex<Bool?>(nil)

        var value: Bool? { state.withLock { $0 } }

        func give(_ value: Bool) { state.withLock { $0 = value } }
    }

    /// A number that threads count.
    private final class Tally: Sendable {
        private let state = Mutex(0)

        var count: Int { state.withLock { $0 } }

        func add() { state.withLock { $0 += 1 } }
    }

    private func line(_ pool: SenderPool, _ socket: Int32, _ stream: String) -> SenderLine? {
        pool.line(to: socket, of: stream, onFailure: {})
    }

    private func pattern(_ count: Int, _ seed: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed) }
    }

    /// Bytes that the socket does not take at once arrive in order, and the other connection of the
    /// thread goes on in the meantime.
    @Test func `a blocked connection holds up nobody`() async throws {
        let pool = SenderPool(.perStream)
        let (stalled, quick) = (try Pair(), try Pair())
        let first = try #require(self.line(pool, stalled.near, "a"))
        let second = try #require(self.line(pool, quick.near, "a"))
        #expect(pool.threads == 1)
        var expected: [UInt8] = []
        for number in 0..<20 {
            let bytes = pattern(10_000, number)
            expected += bytes
            first.send(ByteBuffer(bytes: bytes))
        }
        try await eventually("the first connection is blocked") { first.isBlocked }
        #expect(first.queuedBytes > 0 && first.queuedWrites > 0)
        for number in 0..<10 {
            let bytes = pattern(1000, number)
            second.send(ByteBuffer(bytes: bytes))
            #expect(try await quick.receive(bytes.count) == bytes)
        }
        let answer = Answer()
        first.afterAll { answer.give($0) }
        #expect(answer.value == nil)
        #expect(try await stalled.receive(expected.count) == expected)
        try await eventually("everything is sent") { answer.value == true && !first.isBlocked }
        #expect(first.queuedBytes == 0 && first.queuedWrites == 0)
        first.release()
        second.release()
        try await eventually("the thread has ended") { pool.threads == 0 }
    }

    /// What waits behind a socket that takes nothing is not waiting for a thread, so the time counts
    /// as time of the write, as it does in a channel.
    @Test func `waiting for the socket is time of the write`() async throws {
        let pool = SenderPool(.perStream)
        let (stalled, quick) = (try Pair(), try Pair())
        let first = try #require(self.line(pool, stalled.near, "a"))
        let second = try #require(self.line(pool, quick.near, "a"))
        let recorder = DelayRecorder()
        let sample = DeliverySample(
            readNanoseconds: Clock.monotonicNanoseconds(), serviceNanoseconds: 0)
        let bytes = pattern(10_000, 0)
        for _ in 0..<20 {
            first.send(ByteBuffer(bytes: bytes), mark: DeliveryMark(sample, recorder))
        }
        // The thread has worked on all of that when it has come to the second connection.
        second.send(ByteBuffer(bytes: [1]))
        _ = try await quick.receive(1)
        #expect(first.isBlocked)
        let since = Clock.monotonicNanoseconds()
        try await eventually("fifty milliseconds are over") {
            Clock.monotonicNanoseconds() - since >= 50_000_000
        }
        _ = try await stalled.receive(20 * bytes.count)
        try await eventually("all deliveries are measured") { recorder.figures?.write.count == 20 }
        let write = try #require(recorder.figures).write
        #expect(write.p50Milliseconds >= 45, "\(write)")
        first.release()
        second.release()
    }

    @Test func `what waits is dropped with the connection`() async throws {
        let pool = SenderPool(.perSession)
        let pair = try Pair()
        let made = self.line(pool, pair.near, "a")
        let line = try #require(made)
        for number in 0..<20 { line.send(ByteBuffer(bytes: pattern(10_000, number))) }
        try await eventually("the connection is blocked") { line.isBlocked }
        let answer = Answer()
        line.afterAll { answer.give($0) }
        line.release()
        try await eventually("the request is answered") { answer.value == false }
        try await eventually("the thread has ended") { pool.threads == 0 }
        #expect(line.queuedBytes == 0)
        // A line that was given up answers at once, and does nothing else.
        let late = Answer()
        line.afterAll { late.give($0) }
        #expect(late.value == false)
        line.release()
    }

    @Test func `a send that fails is told`() async throws {
        let pool = SenderPool(.perSession)
        let pair = try Pair()
        let failures = Tally()
        let made = pool.line(to: pair.near, of: "a", onFailure: { failures.add() })
        let line = try #require(made)
        shutdown(pair.near, Int32(SHUT_WR))
        line.send(ByteBuffer(bytes: [1, 2, 3]))
        line.send(ByteBuffer(bytes: [4]))
        try await eventually("the failure is told") {
            failures.count == 1 && line.queuedBytes == 0
        }
        line.release()
        try await eventually("the thread has ended") { pool.threads == 0 }
    }

    @Test func `threads have a limit, and each refusal is told`() async throws {
        let refusals = Tally()
        let pool = SenderPool(.perSession, limit: 2) { refusals.add() }
        let pair = try Pair()
        let first = try #require(self.line(pool, pair.near, "a"))
        let second = try #require(self.line(pool, pair.near, "a"))
        #expect(line(pool, pair.near, "b") == nil)
        #expect(refusals.count == 1 && pool.threads == 2)
        first.release()
        try await eventually("a place is free") { pool.threads == 1 }
        let third = try #require(self.line(pool, pair.near, "b"))
        second.release()
        third.release()
        #expect(await pool.waitUntilEnded(within: .seconds(60)))
        #expect(pool.line(to: -1, of: "a", onFailure: {}) == nil)
    }
}
