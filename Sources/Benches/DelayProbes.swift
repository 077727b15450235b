import Foundation
import Glibc
import NetemShell
import SimulationKernel
import Sockets
import Statistics
import Synchronization

/// Datagrams that carry their sending time over an otherwise idle link.
final class DelayProbes: Sendable {
    private static let payloadBytes = 200
    private static let headerBytes = 28

    private let sender: Int32
    private let receiver: Int32
    private let target: sockaddr_in
    /// Time of a datagram on an ideal link, in nanoseconds.
    private let ideal: Int64
    private let box = Mutex(DelayHistogram())
    private let done = DispatchSemaphore(value: 0)

    init(_ network: ShellNetwork, kilobits: Int, delayMilliseconds: Int) throws {
        sender = try LinkBenchSocket.make(SOCK_DGRAM, at: ShellNetwork.server, in: network.outside)
        receiver = try LinkBenchSocket.make(
            SOCK_DGRAM, at: ShellNetwork.viewer(0), in: network.inside)
        target = LinkBenchSocket.address(
            ShellNetwork.viewer(0), port: LinkBenchSocket.port(of: receiver))
        let bits = Int64(Self.payloadBytes + Self.headerBytes) * 8
        ideal = Int64(delayMilliseconds) * 1_000_000 + bits * 1_000_000 / Int64(kilobits)
        // The time-out ends the receiver once no more probes come.
        var time = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(
            receiver, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit {
        close(sender)
        close(receiver)
    }

    /// Returns the delay that the link adds to the ideal delay.
    func measure(seconds: Double) -> DelayHistogram {
        Thread { [self] in
            let errors = receive()
            box.withLock { $0 = errors }
            done.signal()
        }.start()
        Thread { [self] in send(seconds: seconds) }.start()
        done.wait()
        return box.withLock { $0 }
    }

    private func send(seconds: Double) {
        ShellPrivilege.preferThread()
        var random = SeededGenerator(seed: 1)
        var next = Clock.monotonicNanoseconds() + 1_000_000
        let until = next + Int64(seconds * 1e9)
        while next < until {
            var time = timespec(
                tv_sec: Int(next / 1_000_000_000), tv_nsec: Int(next % 1_000_000_000))
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil)
            send()
            // Probes are 3 to 9 ms apart, so two are never on the link at once, and the interval is
            // not a multiple of any tick.
            next += Int64.random(in: 3_000_000...9_000_000, using: &random)
        }
    }

    private func send() {
        var payload = [UInt8](repeating: 0, count: Self.payloadBytes)
        payload.withUnsafeMutableBytes {
            $0.storeBytes(of: Clock.monotonicNanoseconds(), as: Int64.self)
        }
        _ = LinkBenchSocket.withAddress(target) {
            sendto(sender, payload, payload.count, 0, $0, $1)
        }
    }

    private func receive() -> DelayHistogram {
        ShellPrivilege.preferThread()
        var errors = DelayHistogram()
        var payload = [UInt8](repeating: 0, count: Self.payloadBytes)
        // The loop ends when a second passes without a probe.
        while recv(receiver, &payload, payload.count, 0) == Self.payloadBytes {
            let now = Clock.monotonicNanoseconds()
            let sent = payload.withUnsafeBytes { $0.load(as: Int64.self) }
            errors.record(nanoseconds: now - sent - ideal)
        }
        return errors
    }
}
