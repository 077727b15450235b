import Foundation
import Glibc
import NetemShell
import Sockets
import Synchronization

/// Endless TCP downloads, one for each viewer, with one sending thread and one receiving thread.
final class BulkTransfers: Sendable {
    private let senders: [Int32]
    private let receivers: [Int32]
    private let stopped = Atomic(false)
    private let done = DispatchSemaphore(value: 0)

    private static let connectedAtOnce = 100

    /// Interval at which the threads check their sockets. It is longer for many viewers, so that
    /// the threads leave the CPU to the link.
    private var tickNanoseconds: Int64 { receivers.count > 10 ? 10_000_000 : 1_000_000 }

    init(
        inside: NetworkNamespace, outside: NetworkNamespace, viewers: Int,
        congestionControl: String
    ) throws {
        let listener = try LinkBenchSocket.make(SOCK_STREAM, at: ShellNetwork.server, in: outside)
        defer { close(listener) }
        try LinkBenchSocket.setCongestionControl(listener, congestionControl)
        guard listen(listener, 1024) == 0 else { throw LinkBenchSocket.failure("cannot listen") }
        Self.raiseDescriptorLimit()
        // A viewer whose packets do not pass must not hold up the bench for ever.
        var patience = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(
            listener, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let target = LinkBenchSocket.address(
            ShellNetwork.server, port: LinkBenchSocket.port(of: listener))
        var receivers: [Int32] = []
        var senders: [Int32] = []
        // One round trip connects many viewers.
        for first in stride(from: 0, to: viewers, by: Self.connectedAtOnce) {
            let last = min(viewers, first + Self.connectedAtOnce)
            for i in first..<last {
                let receiver = try LinkBenchSocket.make(
                    SOCK_STREAM, at: ShellNetwork.viewer(i), in: inside)
                receivers.append(receiver)
                LinkBenchSocket.setNonBlocking(receiver)
                let status = LinkBenchSocket.withAddress(target) { connect(receiver, $0, $1) }
                guard status == 0 || errno == EINPROGRESS else {
                    throw LinkBenchSocket.failure("viewer \(i) cannot connect")
                }
            }
            for i in first..<last {
                let sender = accept(listener, nil, nil)
                guard sender >= 0 else {
                    throw LinkBenchSocket.failure("cannot accept viewer \(i)")
                }
                senders.append(sender)
                LinkBenchSocket.setNonBlocking(sender)
            }
        }
        self.senders = senders
        self.receivers = receivers
    }

    deinit { for descriptor in senders + receivers { close(descriptor) } }

    /// Raises the soft limit of descriptors to the hard limit: each viewer needs two.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// Returns the payload rate of each viewer after the warm-up, in bits per second.
    func measure(warmup: Double, seconds: Double) -> [Double] {
        let thread = Thread { [self] in
            sendUntilStopped()
            done.signal()
        }
        thread.start()
        let rates = receive(warmup: warmup, seconds: seconds)
        stopped.store(true, ordering: .relaxed)
        done.wait()
        return rates
    }

    private func sendUntilStopped() {
        let block = [UInt8](repeating: 0x5A, count: 1 << 16)
        var tick = Clock.monotonicNanoseconds()
        while !stopped.load(ordering: .relaxed) {
            for descriptor in senders {
                // One tick sends at most 16 blocks, which is more than any link in this bench can
                // carry.
                for _ in 0..<16 {
                    guard send(descriptor, block, block.count, Int32(MSG_NOSIGNAL)) > 0 else {
                        break
                    }
                }
            }
            tick = Self.sleep(after: tick, tickNanoseconds)
        }
    }

    /// A count of payload, and the time at which it was read.
    private struct Mark {
        var bytes = 0
        var nanoseconds: Int64 = 0
    }

    private func receive(warmup: Double, seconds: Double) -> [Double] {
        let start = Clock.monotonicNanoseconds()
        let from = start + Int64(warmup * 1e9)
        let until = from + Int64(seconds * 1e9)
        var last = [Mark](repeating: Mark(), count: receivers.count)
        var first = [Mark?](repeating: nil, count: receivers.count)
        var tick = start
        while tick < until {
            for (i, descriptor) in receivers.enumerated() {
                // The kernel drops the bytes, because their content is not needed.
                let count = recv(descriptor, nil, 1 << 22, Int32(MSG_TRUNC))
                guard count > 0 else { continue }
                last[i].bytes += count
                last[i].nanoseconds = Clock.monotonicNanoseconds()
                if first[i] == nil, last[i].nanoseconds >= from { first[i] = last[i] }
            }
            tick = Self.sleep(after: tick, tickNanoseconds)
        }
        return zip(first, last).map { first, last in
            guard let first, last.nanoseconds > first.nanoseconds else { return 0 }
            return Double(last.bytes - first.bytes) * 8e9
                / Double(last.nanoseconds - first.nanoseconds)
        }
    }

    private static func sleep(after tick: Int64, _ nanoseconds: Int64) -> Int64 {
        let next = max(tick + nanoseconds, Clock.monotonicNanoseconds())
        var time = timespec(
            tv_sec: Int(next / 1_000_000_000), tv_nsec: Int(next % 1_000_000_000))
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil)
        return next
    }
}
