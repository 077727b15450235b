import CLinux
import Glibc
import Media
import NIOCore
import RTMP
import Sockets

/// The thread of a floor sender. Once the thread runs, no other thread may use the loop.
final class FloorLoop: @unchecked Sendable {
    private struct Slot {
        /// Number of connections that the slot has had. An event of an earlier one is ignored.
        var generation: UInt32 = 0
        var connection: FloorConnection?
    }

    private static let readSize = 256 << 10
    /// Longest time without a look at the owner's orders.
    private static let longestWait: Int64 = 50_000_000
    private static let statusInterval: Int64 = 100_000_000
    /// Batches of one stream that are sent before other streams and peers have their turn.
    static let batchesPerTurn = 8
    private static let acceptsPerTurn = 256
    private static let listenerMark = UInt64.max

    var status = FloorStatus()
    var port: Int { listener.port }
    let configuration: FloorConfiguration
    var feeds: [FloorFeed]
    /// Index of each stream by its name.
    let streamIndices: [String: Int]
    /// Players of each stream.
    var players: [[FloorPlayer]]
    var random = SystemRandomNumberGenerator()
    private let listener: FloorListener
    private let epoll: Int32
    private var slots: [Slot] = []
    private var freeSlots: [Int] = []
    private let memory: UnsafeMutableRawPointer
    private var nextStatus: Int64 = 0
    /// Time at which connections are accepted again; nil = they are accepted now.
    private var acceptsAgainAt: Int64?

    init(_ configuration: FloorConfiguration) throws {
        self.configuration = configuration
        // Streams of the same source share its data.
        var sources: [SyntheticSpec: SyntheticSource] = [:]
        var feeds: [FloorFeed] = []
        var indices: [String: Int] = [:]
        for (index, stream) in configuration.streams.enumerated() {
            let source = try sources[stream.source] ?? SyntheticSource(spec: stream.source)
            sources[stream.source] = source
            feeds.append(try FloorFeed(stream, source: source, configuration: configuration))
            if indices[stream.name] == nil { indices[stream.name] = index }
        }
        self.feeds = feeds
        streamIndices = indices
        players = [[FloorPlayer]](repeating: [], count: feeds.count)
        let listener = try FloorListener(configuration)
        let epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else {
            let reason = String(cString: strerror(errno))
            close(listener.descriptor)
            throw FloorError("epoll_create1: \(reason)")
        }
        self.listener = listener
        self.epoll = epoll
        memory = .allocate(byteCount: Self.readSize, alignment: 64)
        listen()
    }

    deinit { memory.deallocate() }

    /// Runs until the owner stops it, and closes every descriptor. It runs once.
    func run(_ control: FloorControl) {
        Clock.sharpenTimers()
        var hasBegun = false
        var events = [epoll_event](repeating: epoll_event(), count: 512)
        while true {
            let orders = control.orders
            if orders.stop { break }
            if let start = orders.start, !hasBegun {
                hasBegun = true
                for index in feeds.indices { feeds[index].begin(atNanoseconds: start) }
            }
            let next = sendDue()
            let now = Clock.monotonicNanoseconds()
            if now >= nextStatus {
                nextStatus = now + Self.statusInterval
                control.publish(status)
            }
            acceptAgain(now)
            let wait = max(0, min(next - now, Self.longestWait))
            var timeout = timespec(tv_sec: 0, tv_nsec: Int(wait))
            let count = epoll_pwait2(epoll, &events, Int32(events.count), &timeout, nil)
            guard count > 0 else { continue }
            for event in events[..<Int(count)] { take(event.data.u64, event.events) }
        }
        for slot in slots.indices {
            if let connection = slots[slot].connection { end(connection) }
        }
        close(listener.descriptor)
        close(epoll)
    }

    // MARK: Connections

    private func listen() {
        var event = epoll_event(
            events: UInt32(EPOLLIN.rawValue), data: epoll_data_t(u64: Self.listenerMark))
        epoll_ctl(epoll, EPOLL_CTL_ADD, listener.descriptor, &event)
    }

    /// Listens again after a time without descriptors.
    private func acceptAgain(_ now: Int64) {
        guard let time = acceptsAgainAt, now >= time else { return }
        acceptsAgainAt = nil
        listen()
    }

    private func take(_ mark: UInt64, _ mask: UInt32) {
        guard mark != Self.listenerMark else { return accept() }
        let (slot, generation) = (Int(mark & 0xFFFF_FFFF), UInt32(truncatingIfNeeded: mark >> 32))
        guard slots.indices.contains(slot), slots[slot].generation == generation,
            let connection = slots[slot].connection
        else { return }
        if mask & UInt32(EPOLLOUT.rawValue) != 0 { drain(connection) }
        let others =
            UInt32(EPOLLIN.rawValue) | UInt32(EPOLLHUP.rawValue) | UInt32(EPOLLERR.rawValue)
        if connection.isOpen, mask & others != 0 { read(connection) }
    }

    private func accept() {
        for _ in 0..<Self.acceptsPerTurn {
            switch listener.accept() {
            case .nobody: return
            case .exhausted:
                // A listener that stays ready would keep the loop busy.
                epoll_ctl(epoll, EPOLL_CTL_DEL, listener.descriptor, nil)
                acceptsAgainAt = Clock.monotonicNanoseconds() + 100_000_000
                return
            case .connection(let descriptor): add(descriptor)
            }
        }
    }

    private func add(_ descriptor: Int32) {
        guard status.connections < configuration.connectionLimit else {
            close(descriptor)
            return note("more than \(configuration.connectionLimit) connections")
        }
        let slot = freeSlots.popLast() ?? slots.count
        if slot == slots.count { slots.append(Slot()) }
        slots[slot].generation &+= 1
        let connection = FloorConnection(
            descriptor: descriptor, slot: slot, chunkSize: configuration.chunkSize)
        slots[slot].connection = connection
        guard watch(connection, EPOLL_CTL_ADD) else {
            let reason = String(cString: strerror(errno))
            slots[slot].connection = nil
            freeSlots.append(slot)
            close(descriptor)
            return note("epoll_ctl: \(reason)")
        }
        status.connections += 1
    }

    /// Tells the kernel what the loop waits for on a connection.
    @discardableResult
    private func watch(_ connection: FloorConnection, _ operation: Int32) -> Bool {
        let mark =
            UInt64(slots[connection.slot].generation) << 32
            | UInt64(UInt32(truncatingIfNeeded: connection.slot))
        var mask = UInt32(EPOLLIN.rawValue)
        if connection.awaitsRoom { mask |= UInt32(EPOLLOUT.rawValue) }
        var event = epoll_event(events: mask, data: epoll_data_t(u64: mark))
        return epoll_ctl(epoll, operation, connection.descriptor, &event) == 0
    }

    private func note(_ reason: String) {
        status.refusals += 1
        status.lastRefusal = reason
    }

    /// Ends a connection because of its peer.
    func refuse(_ connection: FloorConnection, _ reason: String) {
        guard connection.isOpen else { return }
        note(reason)
        end(connection)
    }

    /// Closes a connection, and takes it out of all tables.
    func end(_ connection: FloorConnection) {
        guard connection.isOpen else { return }
        connection.isOpen = false
        switch connection.phase {
        case .handshake, .session: break
        case .publishing: status.publishers -= 1
        case .playing(let stream, let place):
            status.players -= 1
            remove(place, from: stream)
        }
        close(connection.descriptor)
        slots[connection.slot].connection = nil
        freeSlots.append(connection.slot)
        status.connections -= 1
    }

    /// Removes a player; the last one takes its place.
    private func remove(_ place: Int, from stream: Int) {
        guard let last = players[stream].popLast(), place < players[stream].count else { return }
        players[stream][place] = last
        slots[last.slot].connection?.phase = .playing(stream: stream, place: place)
    }

    func connection(of player: FloorPlayer) -> FloorConnection? {
        slots[player.slot].connection
    }

    /// Makes a connection wait until its socket takes more.
    func awaitRoom(_ connection: FloorConnection) {
        guard !connection.awaitsRoom else { return }
        connection.awaitsRoom = true
        watch(connection, EPOLL_CTL_MOD)
    }

    // MARK: Bytes

    private func read(_ connection: FloorConnection) {
        let count = recv(connection.descriptor, memory, Self.readSize, 0)
        guard count > 0 else {
            if count < 0, errno == EAGAIN || errno == EINTR { return }
            return end(connection)
        }
        status.receivedBytes += count
        switch connection.phase {
        case .playing: break
        case .publishing:
            if let acknowledgement = connection.session.received(bytes: count) {
                write(acknowledgement, to: connection)
            }
        case .handshake, .session:
            let bytes = ByteBuffer(bytes: UnsafeRawBufferPointer(start: memory, count: count))
            do {
                try negotiate(connection, bytes)
            } catch {
                refuse(connection, "\(error)")
            }
        }
    }

    /// Sends bytes that are for one peer alone.
    func write(_ bytes: ByteBuffer, to connection: FloorConnection) {
        guard connection.isOpen, bytes.readableBytes > 0 else { return }
        let limit = configuration.queueByteLimit
        guard connection.queue.hasRoom(for: bytes.readableBytes, limit: limit) else {
            return refuse(connection, "a peer does not read what it asked for")
        }
        connection.queue.append(bytes)
        if !connection.awaitsRoom { drain(connection) }
    }

    /// Sends what waits for a socket, as far as the socket takes it.
    func drain(_ connection: FloorConnection) {
        while let part = connection.queue.first {
            let sent = part.withUnsafeReadableBytes { transmit($0, to: connection.descriptor) }
            guard let sent else { return end(connection) }
            connection.queue.advance(by: sent)
            if isMedia(connection) { status.sentBytes += sent }
            if sent < part.readableBytes { break }
        }
        let awaitsRoom = !connection.queue.isEmpty
        if case .playing(let stream, let place) = connection.phase {
            players[stream][place].isBehind = awaitsRoom
        }
        guard awaitsRoom != connection.awaitsRoom else { return }
        connection.awaitsRoom = awaitsRoom
        watch(connection, EPOLL_CTL_MOD)
    }

    private func isMedia(_ connection: FloorConnection) -> Bool {
        if case .playing = connection.phase { true } else { false }
    }

    /// Sends without waiting. Returns the number of bytes that the socket took; nil if the
    /// connection is broken.
    func transmit(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int? {
        let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
        let sent = Glibc.send(descriptor, bytes.baseAddress, bytes.count, flags)
        if sent >= 0 { return sent }
        return errno == EAGAIN || errno == EINTR ? 0 : nil
    }
}
