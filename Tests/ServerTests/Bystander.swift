import Foundation
import NIOCore
import RTMP
import Synchronization
import Testing

/// A stream with a player, beside which an attack runs, and the delay of its frames.
final class Bystander: Sendable {
    private let isOver = Mutex(false)
    private let isAttacked = Mutex(false)
    private let received = Atomic<Int>(0)

    var receivedFrames: Int { received.load(ordering: .relaxed) }

    /// Delays in milliseconds from the writing of a frame to its reading, in order.
    struct Delays {
        var before: [Double] = []
        var beside: [Double] = []

        static func percentile99(_ all: [Double]) -> Double {
            all.isEmpty ? 0 : all.sorted()[min(all.count - 1, all.count * 99 / 100)]
        }
    }

    func attackBegins() { isAttacked.withLock { $0 = true } }
    func end() { isOver.withLock { $0 = true } }

    /// Publishes 50 frames a second until `end`, and then waits for the last one. Fails if a frame
    /// is missing.
    func run(port: Int) async throws -> Delays {
        let publisher = try await RTMPPeer(port: port)
        let code = try await publisher.publish("bystander").code
        try #require(code == "NetStream.Publish.Start")
        let frames = TestFrames(gop: 25, size: 5000)
        try await publisher.send(frames.headers)
        try await publisher.send([frames.video(0)])
        let player = try await RTMPPeer(port: port)
        try await player.play("bystander")
        var delays = Delays()
        var (sent, count) = ([ContinuousClock.now], 0)
        var next = ContinuousClock.now
        var deadline: ContinuousClock.Instant?
        while count < sent.count || deadline == nil {
            let now = ContinuousClock.now
            if deadline == nil, now >= next {
                next = max(now, next + .milliseconds(20))
                try await publisher.send([frames.video(sent.count)])
                sent.append(now)
                if isOver.withLock({ $0 }) { deadline = now + .seconds(60) }
            }
            if let deadline {
                try #require(now < deadline, "frame \(count) of \(sent.count) never came")
            }
            let messages = try #require(try player.available(), "the player was cut")
            for case .pingRequest(let time)? in try messages.map(ControlMessage.init) {
                try await player.send(ControlMessage.pingResponse(time).message)
            }
            for number in messages.compactMap(\.videoNumber) {
                try #require(number == count, "frame \(count) is missing")
                let delay = (ContinuousClock.now - sent[number]) / .milliseconds(1)
                if isAttacked.withLock({ $0 }) {
                    delays.beside.append(delay)
                } else {
                    delays.before.append(delay)
                }
                count += 1
                received.store(count, ordering: .relaxed)
            }
            _ = try await publisher.pump()
            try await Task.sleep(for: .microseconds(500))
        }
        return delays
    }
}
