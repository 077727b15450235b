// How real packets pass a link.
//
// One thread serves two TUN devices (viewers inside, servers outside) with `ppoll` in nanoseconds,
// and with SCHED_FIFO if that is allowed. A packet is stamped when it is read, lies in one slot of
// a bounded pool while the model has it, and is written at its theoretical time. The lateness is
// recorded, and a 99th percentile above 5 ms voids the trial.
//
// A heap of deadlines holds one current entry per direction. With many viewers, wake-ups are at
// least 0.5 ms apart. Packets belong to a viewer by address.

import CLinux
import Glibc
import HeapModule
public import Netem
import SimulationKernel
import Sockets
import Statistics

/// Drives link models with real packets between two TUN devices: `inside` has the viewers,
/// `outside` the servers. Many viewers share the pair. An IPv4 packet belongs to the viewer that
/// has its source address (from inside, the uplink) or its destination address (the downlink).
///
/// One thread runs everything with `ppoll` in nanoseconds. Packets are stamped as they are read and
/// leave at the model's theoretical times, so that lateness does not add up.
public final class PacketShell {
    public struct Viewer: Sendable {
        public var address: IPv4Address
        public var down: LinkSpec
        public var up: LinkSpec
        /// Seed of the downlink's randomness; the uplink's is `upSeed`.
        public var seed: UInt64

        public init(address: IPv4Address, down: LinkSpec, up: LinkSpec, seed: UInt64 = 0) {
            self.address = address
            self.down = down
            self.up = up
            self.seed = seed
        }

        public var upSeed: UInt64 {
            var random = SeededGenerator(seed: seed, entity: "uplink")
            return random.next()
        }
    }

    public struct Options: Sendable {
        /// Largest number of packets inside all links together, 1 to 2^22; more are dropped and
        /// void the trial.
        public var largestPackets = 65536
        /// Least time between two wake-ups in nanoseconds; 0 wakes for each packet. Packets that
        /// arrive in between are stamped when the shell wakes.
        public var quantumNanoseconds: Int64 = 0
        /// Limit in milliseconds on the 99th percentile of the release lateness, above which the
        /// trial is void.
        public var lateLimitMilliseconds = 5.0
        /// Whether to run before all programs that are not real-time, if that is allowed.
        public var realtime = true

        public init() {}
    }

    /// Number of packets read from one device before the other's turn, and number of turns before
    /// due packets are released.
    private static let batch = 64
    private static let mostTurns = 64

    private struct Deadline: Comparable {
        var time: Int64
        var direction: Int
        static func < (a: Self, b: Self) -> Bool { a.time < b.time }
    }

    private let options: Options
    private let addresses: [IPv4Address]
    private let viewers: [UInt32: Int]
    private let inside: Int32
    private let outside: Int32
    private var pool: PacketPool
    /// Models; viewer i's downlink is 2 i, its uplink 2 i + 1.
    private var models: [LinkModel] = []
    /// Latest time at which each model is looked at next; `Int64.max` means when a packet arrives.
    private var scheduled: [Int64] = []
    private var deadlines = Heap<Deadline>()
    private var logs: [Int: LinkLogFile] = [:]
    private var report = ShellReport()
    private var origin: Int64 = 0

    /// - Parameters:
    ///   - inside: A non-blocking TUN descriptor; the caller keeps it.
    ///   - outside: A second one of that kind.
    /// - Throws: `LinkError` for an impossible link, `ShellError`.
    public init(
        viewers: [Viewer], inside: Int32, outside: Int32, options: Options = .init()
    ) throws {
        self.options = options
        self.inside = inside
        self.outside = outside
        addresses = viewers.map(\.address)
        var numbers: [UInt32: Int] = [:]
        for (i, viewer) in viewers.enumerated() {
            guard numbers.updateValue(i, forKey: viewer.address.rawValue) == nil else {
                throw ShellError("two viewers have the address \(viewer.address)")
            }
            models.append(try LinkModel(viewer.down, seed: viewer.seed))
            models.append(try LinkModel(viewer.up, seed: viewer.upSeed))
        }
        self.viewers = numbers
        scheduled = Array(repeating: .max, count: models.count)
        pool = try PacketPool(capacity: options.largestPackets)
        report.lateLimitMilliseconds = options.lateLimitMilliseconds
    }

    /// Logs one viewer's links from now on; the caller calls this before `run`.
    public func log(viewer: Int, down: LinkLogFile, up: LinkLogFile) {
        logs[2 * viewer] = down
        logs[2 * viewer + 1] = up
    }

    /// Forwards packets on the calling thread until `ready` returns false. The shell calls `ready`
    /// with each of the descriptors `watched` that can be read.
    public func run(watching watched: [Int32], _ ready: (Int32) -> Bool) -> ShellReport {
        if options.realtime { ShellPrivilege.preferThread() } else { Clock.sharpenTimers() }
        let cpuAtStart = Self.threadSeconds()
        origin = Clock.monotonicNanoseconds()
        var entries = ([inside, outside] + watched).map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        var asleepUntil: Int64 = 0
        loop: while true {
            releaseDue()
            if options.quantumNanoseconds > 0 { sleep(until: asleepUntil) }
            wait(until: deadlines.min?.time ?? .max, &entries)
            asleepUntil = now() + options.quantumNanoseconds
            releaseDue()
            var (up, down) = (entries[0].revents != 0, entries[1].revents != 0)
            // Waiting packets would be stamped late, and the kernel's queue is finite.
            for _ in 0..<Self.mostTurns where up || down {
                if up { up = receive(from: inside, isUp: true) }
                if down { down = receive(from: outside, isUp: false) }
                releaseDue()
            }
            for entry in entries.dropFirst(2) where entry.revents != 0 {
                if !ready(entry.fd) { break loop }
            }
        }
        report.wallSeconds = Double(now()) / 1e9
        report.cpuSeconds = Self.threadSeconds() - cpuAtStart
        return finish()
    }

    private func now() -> Int64 { Clock.monotonicNanoseconds() - origin }

    private static func threadSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Sleeps for the rest of the quantum; packets that arrive in the meantime wait in the kernel's
    /// queue.
    private func sleep(until instant: Int64) {
        let absolute = instant + origin
        var time = timespec(
            tv_sec: Int(absolute / 1_000_000_000), tv_nsec: Int(absolute % 1_000_000_000))
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil)
    }

    /// Sleeps until a descriptor can be read or the time has come.
    private func wait(until instant: Int64, _ entries: inout [pollfd]) {
        let left = min(max(0, instant == .max ? .max : instant - now()), 1_000_000_000)
        if millrace_poll(&entries, Int32(entries.count), left) < 0 {
            for i in entries.indices { entries[i].revents = 0 }
        }
    }

    private func releaseDue() {
        let instant = now()
        while let first = deadlines.min, first.time <= instant {
            deadlines.removeMin()
            // Only the latest entry of a direction counts.
            guard scheduled[first.direction] == first.time else { continue }
            scheduled[first.direction] = .max
            release(first.direction, until: instant)
            schedule(first.direction)
        }
    }

    private func schedule(_ direction: Int) {
        guard let next = models[direction].nextEventNanoseconds, next < scheduled[direction] else {
            return
        }
        scheduled[direction] = next
        deadlines.insert(Deadline(time: next, direction: direction))
    }

    /// Hands over the packets that have left the link by `instant`.
    private func release(_ direction: Int, until instant: Int64) {
        let target = direction % 2 == 0 ? inside : outside
        while let event = models[direction].next(until: instant) {
            let slot = UInt32(truncatingIfNeeded: event.id)
            logs[direction]?.write(event)
            switch event.outcome {
            case .lost, .dropped: pool.giveBack(slot)
            case .departed, .duplicated:
                report.releaseLateness.record(nanoseconds: now() - event.nanoseconds)
                if write(target, pool.bytes(slot), Int(event.bytes)) != Int(event.bytes) {
                    report.refused += 1
                }
                // A copy leaves before its original, with which it shares a slot.
                if event.outcome == .departed { pool.giveBack(slot) }
            }
        }
    }

    /// - Returns: Whether more packets may wait.
    private func receive(from device: Int32, isUp: Bool) -> Bool {
        for _ in 0..<Self.batch {
            guard let slot = pool.take() else {
                discard(device)
                return false
            }
            let bytes = pool.bytes(slot)
            let length = read(device, bytes, PacketPool.slotBytes)
            guard length > 0 else {
                pool.giveBack(slot)
                return false
            }
            guard length >= 20, bytes.load(as: UInt8.self) >> 4 == 4 else {
                report.foreign += 1
                pool.giveBack(slot)
                continue
            }
            let address = UInt32(
                bigEndian: bytes.loadUnaligned(fromByteOffset: isUp ? 12 : 16, as: UInt32.self))
            guard let viewer = viewers[address] else {
                report.strays += 1
                pool.giveBack(slot)
                continue
            }
            arrive(slot, bytes: length, direction: 2 * viewer + (isUp ? 1 : 0))
        }
        return true
    }

    private func arrive(_ slot: UInt32, bytes: Int, direction: Int) {
        let instant = now()
        // Due packets go first, so that a log is in the order of its times.
        release(direction, until: instant)
        models[direction].arrive(id: UInt64(slot), bytes: bytes, at: instant)
        logs[direction]?.arrival(at: instant, bytes: bytes)
        release(direction, until: instant)
        schedule(direction)
    }

    /// Takes one packet off a device although there is no memory for it, so that `ppoll` does not
    /// spin.
    private func discard(_ device: Int32) {
        var byte: UInt8 = 0
        guard read(device, &byte, 1) > 0 else { return }
        // The kernel's own IPv6 packets are not losses.
        if byte >> 4 == 4 { report.overflows += 1 } else { report.foreign += 1 }
    }

    private func finish() -> ShellReport {
        for (i, address) in addresses.enumerated() {
            var viewer = ShellReport.Viewer(address: address)
            viewer.down.counters = models[2 * i].counters
            viewer.down.inside = models[2 * i].inside
            viewer.up.counters = models[2 * i + 1].counters
            viewer.up.inside = models[2 * i + 1].inside
            report.viewers.append(viewer)
        }
        for log in logs.values where !log.close() { report.logFailures += 1 }
        return report
    }
}
