// How load viewers work. One thread has one epoll set and one buffer; `ChunkCounter` walks the
// chunk layout and keeps no media. Lazy viewers raise SO_RCVLOWAT once media has come. At both
// ends of the steady window, and before a viewer leaves, sockets are drained, so that the count is
// exact. The loop's lag is its lateness against its own 50 ms tick.

import CLinux
import Glibc
import HTTPWire
import SimulationKernel
import Sockets
import Statistics

/// The thread of a `LoadViewerPool`. Once the thread runs, no other thread may use the loop.
final class LoadLoop: @unchecked Sendable {
    var viewers: [LoadViewer]
    /// Connectors by host and port; redirects add further ones.
    private var connectors: [String: SocketConnector] = [:]
    private let options: LoadViewerPool.Options
    private let epoll: Int32
    var random = SystemRandomNumberGenerator()
    let buffer: UnsafeMutableRawBufferPointer
    /// Viewers on links: their sockets are read on ticks, and at most the bytes that their links
    /// let through are read.
    var shaped: [Int] = []
    private let links: [SocketLink.Shared]
    /// Number of ticks since the start, which determines the viewers that have their turn.
    var shapedTicks = 0
    private var origin: Int64 = 0
    /// Number of ticks in which each lazy viewer's socket is read once, and the present one of them.
    private let restTicks: Int
    private var restTick = 0
    private var lag = DelayHistogram()
    private var windowLag = DelayHistogram()
    private var failed = 0
    private var playing = 0
    private var connected = 0
    private var receivedBytes = 0

    /// Room in front of the read buffer for the bytes of an incomplete chunk header.
    static let room = 1 << 10
    static let readSize = 65536
    static let shapedTickNanoseconds: Int64 = 5_000_000

    init(_ specs: [ViewerSpec], _ options: LoadViewerPool.Options) throws {
        self.options = options
        restTicks = max(
            1, options.longestRestMilliseconds * 1_000_000 / Int(ViewerAgenda.tickNanoseconds))
        links = options.links.map { SocketLink.Shared($0) }
        if options.trust != TLSTrust() { _ = try options.trust.context() }
        var viewers: [LoadViewer] = []
        var connectors: [String: SocketConnector] = [:]
        for spec in specs.sorted(by: { $0.joinNanoseconds < $1.joinNanoseconds }) {
            if let place = spec.link, !links.indices.contains(place.link) {
                throw ViewerError(description: "viewer \(spec.index) names no link of the pool")
            }
            let viewer = try LoadViewer(spec)
            if connectors[viewer.endpoint.place] == nil {
                connectors[viewer.endpoint.place] = try SocketConnector(
                    host: viewer.endpoint.host, port: viewer.endpoint.port)
            }
            viewers.append(viewer)
        }
        self.viewers = viewers
        self.connectors = connectors
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw SocketConnector.failure("epoll_create1") }
        buffer = .allocate(byteCount: Self.room + Self.readSize, alignment: 64)
    }

    deinit {
        buffer.deallocate()
        close(epoll)
    }

    func run(from start: Int64, pool: LoadViewerPool) {
        origin = start
        var agenda = ViewerAgenda(
            from: start,
            plans: viewers.map { ($0.spec.joinNanoseconds, $0.spec.leaveNanoseconds) },
            now: Clock.monotonicNanoseconds())
        var nextShaped = agenda.nextTick
        var events = [epoll_event](repeating: epoll_event(), count: 512)
        turns: while true {
            var now = Clock.monotonicNanoseconds()
            agenda.window = pool.withShared { $0.window }
            while let event = agenda.next(at: now) {
                switch event {
                case .join(let index): join(index)
                case .leave(let index): leave(index)
                case .tick(let planned):
                    lag.record(nanoseconds: now - planned)
                    if agenda.window?.contains(planned) ?? false {
                        windowLag.record(nanoseconds: now - planned)
                    }
                    endRests()
                    if publish(pool) { break turns }
                case .windowStart: count(into: \.atWindowStart)
                case .windowEnd: count(into: \.atWindowEnd)
                }
            }
            if !shaped.isEmpty, now >= nextShaped {
                nextShaped +=
                    ((now - nextShaped) / Self.shapedTickNanoseconds + 1)
                    * Self.shapedTickNanoseconds
                serveShaped(now)
            }
            let deadline = shaped.isEmpty ? agenda.deadline : min(agenda.deadline, nextShaped)
            now = Clock.monotonicNanoseconds()
            var timeout = timespec(
                tv_sec: 0, tv_nsec: Int(max(0, min(deadline - now, 999_999_999))))
            let count = epoll_pwait2(epoll, &events, Int32(events.count), &timeout, nil)
            guard count > 0 else { continue }
            now = Clock.monotonicNanoseconds()
            for event in events[..<Int(count)] { ready(Int(event.data.u64), event.events, now) }
        }
        for index in viewers.indices { viewers[index].close() }
        let reports = viewers.map(\.report)
        publishCounts(pool)
        let windowLag = windowLag
        pool.withShared {
            $0.report.viewers = reports
            $0.report.windowLag = windowLag
        }
    }

    private func publishCounts(_ pool: LoadViewerPool) {
        let (lag, failed, playing, connected, bytes) = (
            lag, failed, playing, connected, receivedBytes
        )
        self.lag = DelayHistogram()
        pool.withShared { shared in
            shared.report.lag.add(lag)
            shared.report.failed = failed
            shared.report.playing = playing
            shared.report.connected = connected
            shared.report.receivedBytes = bytes
        }
    }

    /// Hands the counts to the pool. Returns true if the pool is to stop.
    private func publish(_ pool: LoadViewerPool) -> Bool {
        publishCounts(pool)
        return pool.withShared { $0.stop }
    }

    /// Drains every socket at either end of the steady window, so that bytes which lazy viewers
    /// have not read yet do not blur the count. Viewers that have left by the window's start count
    /// nothing in the window; viewers that join later count everything.
    private func count(into place: WritableKeyPath<LoadViewer, ViewerCounters?>) {
        for index in viewers.indices {
            if viewers[index].isOpen { drain(index) }
            viewers[index][keyPath: place] = viewers[index].counters
        }
    }

    /// Reads what waits for those lazy viewers whose turn it is.
    private func endRests() {
        restTick = (restTick + 1) % restTicks
        for index in Swift.stride(from: restTick, to: viewers.count, by: restTicks)
        where viewers[index].isOpen && viewers[index].hasLowWaterMark
            && viewers[index].spec.mode == .lazy && viewers[index].link == nil
        {
            drain(index)
        }
    }

    private func drain(_ index: Int) {
        if viewers[index].link != nil {
            // Bytes that have come due count now, although their tick has not come.
            return serve(index, Clock.monotonicNanoseconds())
        }
        if case .connecting = viewers[index].state { return }
        // The number of reads is bounded, so that a sender cannot hold up the loop for longer.
        for _ in 0..<64 where viewers[index].isOpen {
            guard read(index, limit: Self.readSize, Clock.monotonicNanoseconds()) == Self.readSize
            else {
                return
            }
        }
    }

    private func join(_ index: Int) {
        let now = Clock.monotonicNanoseconds()
        viewers[index].askedAt = now
        do {
            if let place = viewers[index].spec.link {
                try viewers[index].attach(links[place.link], place, origin: origin, now: now)
            }
            try connect(index)
        } catch {
            fail(index, "\(error)")
        }
    }

    private func connect(_ index: Int) throws {
        let endpoint = viewers[index].endpoint
        let connector =
            try connectors[endpoint.place]
            ?? SocketConnector(host: endpoint.host, port: endpoint.port)
        // The table is bounded, because a server may redirect to new hosts without end.
        if connectors.count < 256 { connectors[endpoint.place] = connector }
        let fd = try connector.connect(
            congestionControl: options.congestionControl,
            shaped: viewers[index].link != nil,
            from: viewers[index].spec.localAddress)
        viewers[index].fd = fd
        viewers[index].state = .connecting
        var event = epoll_event(
            events: UInt32(EPOLLOUT.rawValue), data: epoll_data_t(u64: UInt64(index)))
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 else {
            throw SocketConnector.failure("epoll_ctl")
        }
    }

    /// Connects the viewer to the server to which it was redirected.
    private func follow(_ index: Int, to url: HTTPURL) throws {
        count(index, opened: false)
        shaped.removeAll { $0 == index }
        viewers[index].move(to: url)
        try connect(index)
    }

    /// Lets a viewer leave. Bytes that have come count, although a lazy viewer has not read them
    /// yet.
    private func leave(_ index: Int) {
        if viewers[index].isOpen { drain(index) }
        end(index)
    }

    private func end(_ index: Int) {
        guard viewers[index].isOpen else { return }
        count(index, opened: false)
        viewers[index].endedAt = Clock.monotonicNanoseconds()
        viewers[index].close()
    }

    private func count(_ index: Int, opened: Bool) {
        if case .connecting = viewers[index].state { return }
        connected += opened ? 1 : -1
        if viewers[index].isPlaying, !opened { playing -= 1 }
    }

    func fail(_ index: Int, _ reason: String) {
        failed += 1
        viewers[index].failure = reason
        end(index)
    }

    private func ready(_ index: Int, _ mask: UInt32, _ now: Int64) {
        guard viewers[index].isOpen else { return }
        guard case .connecting = viewers[index].state else {
            _ = read(index, limit: Self.readSize, now)
            return
        }
        let fd = viewers[index].fd
        let code = SocketConnector.pendingError(fd)
        guard code == 0 else {
            return fail(index, "cannot connect: \(String(cString: strerror(code)))")
        }
        do {
            if viewers[index].link != nil {
                epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nil)
                shaped.append(index)
            }
            try viewers[index].connected(now: now, trust: options.trust, random: &random)
            viewers[index].localPort = SocketConnector.localPort(fd)
            count(index, opened: true)
            guard viewers[index].link == nil else { return }
            var event = epoll_event(
                events: UInt32(EPOLLIN.rawValue), data: epoll_data_t(u64: UInt64(index)))
            epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event)
        } catch {
            fail(index, "\(error)")
        }
    }

    /// Reads once, at most `limit` bytes. Returns the number of bytes, or -1 if nothing waited.
    func read(_ index: Int, limit: Int, _ now: Int64) -> Int {
        let fd = viewers[index].fd
        let count = recv(fd, buffer.baseAddress! + Self.room, limit, 0)
        guard count > 0 else {
            if count < 0, errno == EAGAIN || errno == EINTR { return -1 }
            fail(
                index,
                count == 0
                    ? "the server closed the connection"
                    : errno == ECONNRESET
                        ? "the server closed the connection (reset)"
                        : "recv: \(String(cString: strerror(errno)))")
            return -1
        }
        receivedBytes += count
        if viewers[index].link?.shared.delays == true {
            viewers[index].hold(
                UnsafeRawBufferPointer(buffer)[Self.room..<Self.room + count], now: now)
        } else {
            take(index, count, now)
        }
        return count
    }

    /// Processes `count` bytes that have arrived; they lie in the buffer behind the room.
    func take(_ index: Int, _ count: Int, _ now: Int64) {
        guard viewers[index].tls != nil else { return takePlain(index, count, now) }
        do {
            let start = UnsafeRawBufferPointer(buffer)[Self.room..<Self.room + count]
            let plain = try viewers[index].decrypt(UnsafeRawBufferPointer(rebasing: start))
            for from in Swift.stride(from: 0, to: plain.count, by: Self.readSize) {
                let part = plain[from..<min(from + Self.readSize, plain.count)]
                UnsafeMutableRawBufferPointer(rebasing: buffer[Self.room...]).copyBytes(from: part)
                takePlain(index, part.count, now)
                guard viewers[index].isOpen, viewers[index].tls != nil else { return }
            }
        } catch {
            fail(index, "\(error)")
        }
    }

    private func takePlain(_ index: Int, _ count: Int, _ now: Int64) {
        do {
            let began = try viewers[index].receive(
                buffer, room: Self.room, count: count, now: now, random: &random)
            if let url = viewers[index].redirection { return try follow(index, to: url) }
            if began { playing += 1 }
            if viewers[index].hasMedia, !viewers[index].hasLowWaterMark { readRarely(index) }
        } catch {
            fail(index, "\(error)")
        }
    }

    /// Makes a viewer read rarely. This begins with the first media, which a low-water mark would
    /// delay.
    private func readRarely(_ index: Int) {
        viewers[index].hasLowWaterMark = true
        guard viewers[index].spec.mode == .lazy, viewers[index].link == nil else { return }
        _ = SocketConnector.set(
            viewers[index].fd, SOL_SOCKET, millrace_SO_RCVLOWAT, Int32(options.lowWaterMark))
    }
}
