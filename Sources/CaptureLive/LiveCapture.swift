import CLinux
import CPcap
public import Capture
import Glibc
public import SimulationKernel

/// Captures on an interface, on a thread of its own, and analyses the packets as they arrive.
///
/// The capture uses libpcap's normal mode (TPACKET_V3) with a large ring. It needs root or
/// CAP_NET_RAW. `CaptureOptions.dissectedClientPorts` and `dissectedSubscribersPerStream` restrict
/// dissection to some subscribers. The others are counted by their headers, in user space, because
/// the captured length cannot differ from packet to packet.
public final class LiveCapture: @unchecked Sendable {
    /// State of the capture at one moment.
    public struct Snapshot: Sendable {
        public var report: CaptureReport
        public var statistics: CaptureStatistics
        /// Whether timestamps have nanoseconds, not microseconds.
        public var hasNanoseconds: Bool
        /// Reason why the dump file is not complete, or why the capture ended.
        public var problem: String?
        /// Whether the capture itself ended before it was stopped.
        public var isCutOff: Bool
    }

    /// Snap length that keeps all packets whole.
    public static let wholePacketBytes = 262_144
    private static let pollMilliseconds: Int32 = 50
    /// Number of packets handled before the lock is released.
    private static let batch: Int32 = 2048

    private let handle: PcapHandle
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    // The lock guards all properties below.
    private var analyzer: CaptureAnalyzer
    private var dump: PcapDump?
    private var statistics = CaptureStatistics()
    private var problem: String?
    private var isCutOff = false
    private var isStopping = false
    private var thread: pthread_t?

    /// Opens the interface. Packets are captured from now on and handled after `start`.
    /// - Parameters:
    ///   - filter: Filter in the language of pcap-filter(7); see `filter(serverPorts:)`.
    ///   - snapLength: Largest number of bytes captured of a packet. Dissection needs all of them.
    ///   - ringBytes: Size of the kernel's ring, 16 MiB or more.
    ///   - dumpPath: File to which the captured packets are written too.
    /// - Throws: `CaptureError`: `.permission`, `.device` or `.filter`.
    public init(
        interface: String, filter: String, snapLength: Int = LiveCapture.wholePacketBytes,
        ringBytes: Int = 32 << 20,
        options: CaptureOptions = CaptureOptions(), dumpPath: String? = nil,
        dumpLimitBytes: Int = 4 << 30
    ) throws(CaptureError) {
        let handle = try PcapHandle(
            interface: interface, filter: filter, snapLength: snapLength, ringBytes: ringBytes)
        var dump: PcapDump?
        if let dumpPath {
            do {
                dump = try PcapDump(
                    path: dumpPath, linkType: handle.linkType, limitBytes: dumpLimitBytes)
            } catch {
                pcap_close(handle.device)
                throw error
            }
        }
        self.handle = handle
        self.dump = dump
        var options = options
        options.seesPacketsOnce = handle.seesPacketsOnce
        analyzer = CaptureAnalyzer(options: options)
        lock = .allocate(capacity: 1)
        pthread_mutex_init(lock, nil)
    }

    deinit {
        dump?.finish()
        pcap_close(handle.device)
        pthread_mutex_destroy(lock)
        lock.deallocate()
    }

    /// Makes a filter for the TCP connections to these ports, or for all TCP if there are none.
    public static func filter(serverPorts: some Sequence<UInt16>) -> String {
        let ports = Set(serverPorts).sorted().map { "port \($0)" }
        return ports.isEmpty ? "tcp" : "tcp and (\(ports.joined(separator: " or ")))"
    }

    /// Starts the thread; the caller calls this once.
    public func start() {
        withLock {
            guard thread == nil, !isStopping else { return }
            var started = pthread_t()
            let status = pthread_create(
                &started, nil,
                { context in
                    guard let context else { return nil }
                    let capture = Unmanaged<LiveCapture>.fromOpaque(context).takeRetainedValue()
                    capture.run()
                    return nil
                }, Unmanaged.passRetained(self).toOpaque())
            if status == 0 {
                thread = started
            } else {
                Unmanaged.passUnretained(self).release()
                problem = "cannot start the capture thread: \(String(cString: strerror(status)))"
                isCutOff = true
            }
        }
    }

    /// Confines counts and delays to a window, in ns since 1970; the caller sets it before it
    /// begins.
    public func setWindow(_ window: Window?) {
        withLock { analyzer.options.window = window }
    }

    /// Dissects the downstream of this client port; this takes effect for later play requests.
    public func dissect(clientPort: UInt16) {
        withLock {
            var ports = analyzer.options.dissectedClientPorts ?? []
            ports.insert(clientPort)
            analyzer.options.dissectedClientPorts = ports
        }
    }

    /// Reports the stamped frames of this client port one by one, from now on.
    public func recordFrames(ofClientPort port: UInt16) {
        withLock { analyzer.recordFrames(ofClientPort: port) }
    }

    public func snapshot() -> Snapshot {
        withLock { currentSnapshot() }
    }

    /// Number of packets received and lost so far; this is cheaper than a snapshot.
    public func counts() -> CaptureStatistics {
        withLock {
            if let counts = handle.statistics() { statistics = counts }
            return statistics
        }
    }

    /// Handles the packets that the ring still holds, and ends the thread and the dump file.
    public func stop() -> Snapshot {
        let running: pthread_t? = withLock {
            isStopping = true
            defer { thread = nil }
            return thread
        }
        if let running { pthread_join(running, nil) }
        return withLock {
            analyzer.finish()
            dump?.flush()
            problem = problem ?? dump?.failure
            return currentSnapshot()
        }
    }

    private func currentSnapshot() -> Snapshot {
        if let counts = handle.statistics() {
            statistics = counts
            analyzer.setDroppedPackets(counts.dropped + counts.droppedByInterface)
        }
        return Snapshot(
            report: analyzer.report(), statistics: statistics,
            hasNanoseconds: handle.hasNanoseconds, problem: problem ?? dump?.failure,
            isCutOff: isCutOff)
    }

    private func withLock<T>(_ body: () -> T) -> T {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return body()
    }

    private func run() {
        _ = millrace_set_thread_name("capture")
        // After the stop, the thread waits for packets that were captured before it: the kernel
        // hands over a block that is not full only when its timeout ends.
        var roundsLeft = 4
        while roundsLeft > 0 {
            var descriptor = pollfd(
                fd: handle.selectableDescriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&descriptor, 1, Self.pollMilliseconds)
            if ready != 0, !drain() { return }
            guard withLock({ isStopping }) else { continue }
            roundsLeft = ready == 0 ? 0 : roundsLeft - 1
        }
    }

    /// Handles all packets that are ready. Returns false if the device has failed.
    private func drain() -> Bool {
        while true {
            let count = withLock { () -> Int32 in
                let count = dispatch()
                if count < 0 {
                    problem = "the capture ended: \(String(cString: pcap_geterr(handle.device)))"
                    isCutOff = true
                }
                return count
            }
            // Fewer packets than a batch were all that the ring held.
            if count < Self.batch { return count >= 0 }
        }
    }

    /// Destination of the packets of one batch. It is reached through a pointer, so that a packet
    /// costs no reference count and no check of exclusive access.
    private struct Batch {
        let analyzer: UnsafeMutablePointer<CaptureAnalyzer>
        let dump: UnsafeMutablePointer<PcapDump>?
        let linkType: LinkType
        /// Number of nanoseconds that the fraction of a time counts.
        let fractionNanoseconds: Int64
    }

    /// Handles a batch of packets; the caller holds the lock. Returns the number of packets, or a
    /// negative number if the device has failed.
    private func dispatch() -> Int32 {
        withUnsafeMutablePointer(to: &analyzer) { analyzer in
            guard var file = dump else { return dispatch(analyzer, nil) }
            // The file has one owner at a time; otherwise its buffer would be copied.
            dump = nil
            defer { dump = file }
            return withUnsafeMutablePointer(to: &file) { dispatch(analyzer, $0) }
        }
    }

    private func dispatch(
        _ analyzer: UnsafeMutablePointer<CaptureAnalyzer>, _ dump: UnsafeMutablePointer<PcapDump>?
    ) -> Int32 {
        var batch = Batch(
            analyzer: analyzer, dump: dump, linkType: handle.linkType,
            fractionNanoseconds: handle.hasNanoseconds ? 1 : 1000)
        return withUnsafeMutablePointer(to: &batch) { batch in
            pcap_dispatch(
                handle.device, Self.batch, Self.receive,
                UnsafeMutableRawPointer(batch).assumingMemoryBound(to: UInt8.self))
        }
    }

    private static let receive: pcap_handler = { context, header, bytes in
        guard let context, let header, let bytes else { return }
        let batch = UnsafeRawPointer(context).assumingMemoryBound(to: Batch.self)
        let time =
            Int64(header.pointee.ts.tv_sec) * 1_000_000_000
            + Int64(header.pointee.ts.tv_usec) * batch.pointee.fractionNanoseconds
        let captured = UnsafeRawBufferPointer(start: bytes, count: Int(header.pointee.caplen))
        let length = Int(header.pointee.len)
        batch.pointee.dump?.pointee.append(
            timestampNanoseconds: time, captured: captured, originalLength: length)
        batch.pointee.analyzer.pointee.packet(
            timestampNanoseconds: time, linkType: batch.pointee.linkType, captured: captured,
            originalLength: length)
    }
}
