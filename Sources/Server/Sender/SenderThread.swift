import CLinux
import Glibc
import Sockets

/// A thread that sends what event loops hand over, and does nothing else.
///
/// It sleeps on a condition variable, as the sender threads of the design that the models reproduce
/// do. Only while a socket takes nothing does it sleep in `poll`, on the blocked sockets and on a
/// descriptor by which loops wake it, so that other connections of the thread go on.
///
/// The inbox has no limit of its own: what waits for a connection is limited by the connection's
/// `Outlet` and `Subscriber`, as what waits in a channel is.
final class SenderThread: @unchecked Sendable {
    enum Order {
        case send(SenderLine, [SenderLine.Item])
        case release(SenderLine)
    }

    private enum Sleep {
        case none, onCondition, inPoll
    }

    /// Bytes of the thread's stack; it keeps nothing large there.
    private static let stackBytes = 256 << 10
    /// Milliseconds after which a thread looks into its inbox although nothing woke it; it matters
    /// only if the process has no descriptor left for waking.
    private static let longestPollMilliseconds: Int32 = 1000
    private static let blindPollMilliseconds: Int32 = 5

    private let name: String
    private let onEnd: @Sendable () -> Void
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    // What follows is protected by the lock.
    private var inbox: [Order] = []
    private var sleep = Sleep.none
    private var isEnding = false
    /// Descriptor that wakes the thread from `poll`; -1 until it is needed for the first time.
    private var wakeDescriptor: Int32 = -1

    // What follows is the thread's own.
    private var orders: [Order] = []
    private var blocked: [SenderLine] = []
    private var entries: [pollfd] = []

    /// - Parameters:
    ///   - name: Name of the thread, at most 15 bytes.
    ///   - onEnd: Function that the thread calls last.
    init(name: String, onEnd: @escaping @Sendable () -> Void) {
        self.name = name
        self.onEnd = onEnd
        lock = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(lock, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(lock)
        condition.deallocate()
        lock.deallocate()
    }

    /// Starts the thread; the caller calls this once. Returns false if the system has no thread
    /// left.
    func start() -> Bool {
        do {
            try SystemThread.start(name: name, stackBytes: Self.stackBytes) { self.run() }
            return true
        } catch {
            return false
        }
    }

    // MARK: The event loops' side

    /// Adds an order. Orders are carried out in the order of the calls.
    func post(_ order: Order) {
        withLock {
            inbox.append(order)
            wake()
        }
    }

    /// Lets the thread end when its inbox is empty.
    func end() {
        withLock {
            isEnding = true
            wake()
        }
    }

    /// Wakes the thread if it sleeps. The caller holds the lock.
    private func wake() {
        switch sleep {
        case .none: return
        case .onCondition: pthread_cond_signal(condition)
        case .inPoll:
            guard wakeDescriptor >= 0 else { return }
            var one: UInt64 = 1
            // The descriptor is full only if the thread is about to wake already.
            _ = write(wakeDescriptor, &one, MemoryLayout<UInt64>.size)
        }
        sleep = .none
    }

    private func withLock<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return body()
    }

    // MARK: The thread's side

    private func run() {
        while takeOrders() {
            for order in orders { perform(order) }
            orders.removeAll(keepingCapacity: true)
            // Orders may come without end, and blocked lines must not wait for a pause.
            if !blocked.isEmpty { workOnBlocked(withinMilliseconds: 0) }
        }
        let descriptor = withLock { () -> Int32 in
            defer { wakeDescriptor = -1 }
            return wakeDescriptor
        }
        if descriptor >= 0 { close(descriptor) }
        onEnd()
    }

    private func perform(_ order: Order) {
        switch order {
        case .send(let line, let items):
            line.append(items)
            // A blocked line waits until its socket takes bytes again.
            if !line.isListed { work(line) }
        case .release(let line):
            line.close()
            guard line.isListed else { return }
            line.isListed = false
            blocked.removeAll { $0 === line }
        }
    }

    private func work(_ line: SenderLine) {
        switch line.work() {
        case .isIdle: return
        case .isBlocked:
            line.isListed = true
            blocked.append(line)
        }
    }

    /// Waits for orders, and works on blocked lines in the meantime. Returns false when the thread
    /// is to end.
    private func takeOrders() -> Bool {
        while true {
            let mayPoll = !blocked.isEmpty
            if mayPoll { openWakeDescriptor() }
            pthread_mutex_lock(lock)
            while inbox.isEmpty, !isEnding, !mayPoll {
                sleep = .onCondition
                pthread_cond_wait(condition, lock)
                sleep = .none
            }
            if !inbox.isEmpty {
                swap(&orders, &inbox)
                pthread_mutex_unlock(lock)
                return true
            }
            if isEnding {
                pthread_mutex_unlock(lock)
                return false
            }
            sleep = .inPoll
            pthread_mutex_unlock(lock)
            workOnBlocked(withinMilliseconds: Self.longestPollMilliseconds)
        }
    }

    private func openWakeDescriptor() {
        guard withLock({ wakeDescriptor }) < 0 else { return }
        let opened = millrace_event_descriptor()
        withLock { wakeDescriptor = opened }
    }

    /// Waits until a blocked socket takes bytes or a loop has an order, and works on the lines
    /// whose sockets take bytes.
    private func workOnBlocked(withinMilliseconds longest: Int32) {
        let waking = withLock { wakeDescriptor }
        entries.removeAll(keepingCapacity: true)
        for line in blocked {
            entries.append(pollfd(fd: line.descriptor, events: Int16(POLLOUT), revents: 0))
        }
        entries.append(pollfd(fd: waking, events: Int16(POLLIN), revents: 0))
        let limit = waking >= 0 ? longest : min(longest, Self.blindPollMilliseconds)
        let count = nfds_t(entries.count)
        let ready = poll(&entries, count, limit)
        withLock { sleep = .none }
        guard ready > 0 else { return }
        if waking >= 0, entries.last?.revents != 0 {
            var wakings: UInt64 = 0
            _ = read(waking, &wakings, MemoryLayout<UInt64>.size)
        }
        let lines = blocked
        blocked.removeAll(keepingCapacity: true)
        for (line, entry) in zip(lines, entries) {
            guard entry.revents != 0 else {
                blocked.append(line)
                continue
            }
            line.isListed = false
            work(line)
        }
    }
}
