// How a thousand HLS viewers share a thread. `HLSLoop` gives sessions sockets: one epoll set, one
// heap of deadlines, two connections for each viewer (segments and playlists) behind one link.
// Bytes of segments are counted and discarded in the kernel (`MSG_TRUNC`). With a link, a viewer
// wakes when 16 to 64 KiB or the rest of the response have become due (`SocketLink.nextRead`), so
// that ends are punctual; without a link the viewer waits for readiness. A read that is planned for
// later is made before only where its bytes count: when the other connection begins to share the
// link, for a judgement of the download, and at the ends of the window and of the viewer. The
// loop's lateness against its deadlines is reported as the generator's lag.

import CLinux
import Glibc
import HTTPWire
import HeapModule
import SimulationKernel
import Sockets

/// The thread of an `HLSViewerPool`: one epoll set and one heap of deadlines. Once the thread runs,
/// no other thread may use the loop.
final class HLSLoop: @unchecked Sendable {
    private struct Wake: Comparable {
        var time: Int64
        var viewer: Int
        static func < (a: Self, b: Self) -> Bool { a.time < b.time }
    }

    var viewers: [HLSLoopViewer]
    let options: HLSViewerPool.Options
    let epoll: Int32
    let buffer: UnsafeMutableRawBufferPointer
    var hosts = HLSHosts()
    private let links: [SocketLink.Shared]
    private var wakes = Heap<Wake>()
    private var origin: Int64 = 0
    private var figures = HLSLoopFigures()
    private var agenda = ViewerAgenda(from: 0, plans: [], now: 0)

    static let readSize = 65536
    /// Longest idle time that a link makes up for.
    static let creditNanoseconds: Int64 = 500_000

    init(_ specs: [HLSViewerSpec], _ options: HLSViewerPool.Options) throws {
        self.options = options
        links = options.links.map { SocketLink.Shared($0) }
        if options.trust != TLSTrust() { _ = try options.trust.context() }
        let limit = max(1, HLSViewerPool.mostRecords / max(1, specs.count))
        viewers = []
        for spec in specs.sorted(by: { $0.joinNanoseconds < $1.joinNanoseconds }) {
            if let place = spec.link, !links.indices.contains(place.link) {
                throw ViewerError(description: "viewer \(spec.index) names no link of the pool")
            }
            let joinedAt = Double(Clock.offset().nanoseconds) / 1e6
            viewers.append(
                HLSLoopViewer(
                    session: try HLSSessionStateMachine(
                        spec, joinedAt: joinedAt, recordLimit: limit)))
        }
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw SocketConnector.failure("epoll_create1") }
        buffer = .allocate(byteCount: Self.readSize, alignment: 64)
        // A name that does not resolve is an error of the caller, not a failure of a viewer.
        for viewer in viewers {
            for url in viewer.session.requests.edges.entries { _ = try hosts.place(of: url) }
        }
    }

    deinit {
        buffer.deallocate()
        close(epoll)
    }

    // MARK: Loop

    func run(from start: Int64, pool: HLSViewerPool) {
        origin = start
        agenda = ViewerAgenda(
            from: start,
            plans: viewers.map {
                ($0.session.spec.joinNanoseconds, $0.session.spec.leaveNanoseconds)
            }, now: Clock.monotonicNanoseconds())
        var events = [epoll_event](repeating: epoll_event(), count: 512)
        turns: while true {
            var now = Clock.monotonicNanoseconds()
            while let event = agenda.next(at: now) {
                switch event {
                case .join(let index): join(index, now)
                case .leave(let index):
                    readDue(index, now)
                    leave(index, nil, now)
                case .tick(let planned):
                    note(now - planned, at: planned)
                    agenda.window = pool.withShared { $0.window }
                    if figures.publish(viewers, to: pool) { break turns }
                // Bytes are counted when they are read: all that are due are read now, so that the
                // window's ends are no later than the loop.
                case .windowStart:
                    for (index, viewer) in viewers.enumerated() {
                        readDue(index, now)
                        viewer.atWindowStart = viewer.mediaBytes
                    }
                case .windowEnd:
                    for (index, viewer) in viewers.enumerated() {
                        readDue(index, now)
                        viewer.atWindowEnd = viewer.mediaBytes
                    }
                }
            }
            serveDue(now)
            let deadline = min(agenda.deadline, wakes.min?.time ?? .max)
            now = Clock.monotonicNanoseconds()
            let wait = HLSLoopWait(viewers: viewers.count).nanoseconds(until: deadline, from: now)
            var timeout = timespec(tv_sec: 0, tv_nsec: Int(wait))
            let count = epoll_pwait2(epoll, &events, Int32(events.count), &timeout, nil)
            guard count > 0 else { continue }
            now = Clock.monotonicNanoseconds()
            for event in events[..<Int(count)] {
                ready(HLSEventKey(bits: event.data.u64), now)
            }
        }
        finish(pool)
    }

    var window: Window? { agenda.window }

    /// Serves the viewers whose time has come, each at most once a round.
    private func serveDue(_ now: Int64) {
        while let wake = wakes.min, wake.time <= now {
            wakes.removeMin()
            // Only the latest entry of a viewer is valid.
            let viewer = viewers[wake.viewer]
            guard viewer.wakeAt == wake.time else { continue }
            viewer.wakeAt = .max
            note(now - wake.time, at: wake.time)
            serve(wake.viewer, now)
        }
    }

    private func note(_ late: Int64, at time: Int64) {
        figures.noteLag(late, isInWindow: window?.contains(time) ?? false)
    }

    func schedule(_ index: Int, at time: Int64) {
        let viewer = viewers[index]
        guard time < viewer.wakeAt else { return }
        viewer.wakeAt = time
        wakes.insert(Wake(time: time, viewer: index))
    }

    // MARK: Sessions

    private func join(_ index: Int, _ now: Int64) {
        let viewer = viewers[index]
        viewer.joinedAt = now
        if viewer.session.spec.isProbe { viewer.probe = HLSProbe(joinedAt: now) }
        do {
            if let place = viewer.session.spec.link {
                viewer.link = try SocketLink(
                    links[place.link], place, origin: origin, now: now,
                    credit: Self.creditNanoseconds)
            }
        } catch {
            return leave(index, "\(error)", now)
        }
        viewer.session.joinedAt += Double(now) / 1e6
        viewer.tell(.start, at: 0)
        serve(index, now)
    }

    func leave(_ index: Int, _ reason: String?, _ now: Int64) {
        let viewer = viewers[index]
        guard viewer.isPresent else { return }
        viewer.stop(now)
        viewer.failure = reason
        viewer.endedAt = now
        viewer.wakeAt = .max
        viewer.dropTransfers()
    }

    private func finish(_ pool: HLSViewerPool) {
        let now = Clock.monotonicNanoseconds()
        var reports: [HLSViewerReport] = []
        for (index, viewer) in viewers.enumerated() {
            readDue(index, now)
            if viewer.isPresent { viewer.stop(now) }
            for connection in viewer.connections { connection.close() }
            reports.append(viewer.report)
        }
        let (viewers, windowLag) = (reports, figures.windowLag)
        pool.withShared {
            $0.report.viewers = viewers
            $0.report.windowLag = windowLag
        }
    }
}
