import CLinux
import Glibc
import HTTPWire
import Sockets

/// Requests and responses of an HLS loop's viewers.
extension HLSLoop {
    /// Does everything that is due for a viewer at `now`, then determines when the viewer is served
    /// next.
    func serve(_ index: Int, _ now: Int64) {
        let viewer = viewers[index]
        // A response whose end has been read is passed on at once. The number of rounds is bounded,
        // so that a fast server does not hold up the loop.
        for _ in 0..<4 {
            guard viewer.isPresent else { return }
            runSession(index, now)
            transfer(index, HLSPlayerRequest.Slot.playlist.rawValue, now, isPlanned: true)
            transfer(index, HLSPlayerRequest.Slot.media.rawValue, now, isPlanned: true)
            guard viewer.hasArrival(at: now) else { break }
        }
        guard viewer.isPresent else { return }
        schedule(index, at: max(viewer.nextWake(now), now + 1))
    }

    /// Passes to a session what is due for it at `now`, and performs what it requests.
    private func runSession(_ index: Int, _ now: Int64) {
        let viewer = viewers[index]
        // The number of rounds is bounded: a session whose timers stay due continues after the
        // other viewers.
        for _ in 0..<16 {
            deliver(index, now)
            let time = viewer.milliseconds(now)
            if viewer.nextCalls.timer <= time { viewer.tell(.timer, at: time) }
            if viewer.nextCalls.judgement <= time {
                // The judgement counts the bytes that have come due by now.
                transfer(index, HLSPlayerRequest.Slot.media.rawValue, now)
                guard viewer.isPresent else { return }
                viewer.judge(now)
            }
            guard performCommands(index, now), viewer.isPresent else { return }
        }
    }

    /// Performs what the session has requested since the last call. Returns whether there was
    /// anything.
    func performCommands(_ index: Int, _ now: Int64) -> Bool {
        let viewer = viewers[index]
        guard viewer.hasPending else { return false }
        for action in viewer.takePending() where viewer.isPresent { perform(action, index, now) }
        return true
    }

    private func perform(_ action: HLSAction, _ index: Int, _ now: Int64) {
        switch action {
        case .fetch(let request): fetch(request, request.url, index, now)
        case .cancel(let slot): viewers[index].cancel(slot)
        case .end(let reason): leave(index, reason, now)
        }
    }

    // MARK: Requests

    func fetch(
        _ request: HLSPlayerRequest, _ url: HTTPURL, _ index: Int, _ now: Int64,
        redirects: HTTPRedirects = HTTPRedirects()
    ) {
        let viewer = viewers[index]
        let slot = request.slot.rawValue
        do {
            let host = try hosts.place(of: url)
            viewer.prepare(
                request, url, host: host, redirects: redirects, agent: options.agent, at: now)
            if viewer.connections[slot].isOpen {
                viewer.connections[slot].isReused = true
                begin(index, slot, now, roundTrips: 0)
            } else {
                try connect(index, slot, host)
            }
        } catch {
            let time = viewer.milliseconds(now)
            viewer.tell(.failed(request.slot, .broken("\(error)")), at: time)
            schedule(index, at: now + 1)
        }
    }

    private func connect(_ index: Int, _ slot: Int, _ host: Int) throws {
        let viewer = viewers[index]
        let fd = try hosts[host].connector.connect(
            congestionControl: options.congestionControl, shaped: viewer.link != nil,
            from: viewer.session.spec.localAddress)
        let connection = viewer.connections[slot]
        connection.fd = fd
        connection.serial &+= 1
        connection.host = host
        connection.state = .connecting
        connection.isReused = false
        arm(index, slot, EPOLLOUT, EPOLL_CTL_ADD)
    }

    private func arm(_ index: Int, _ slot: Int, _ what: EPOLL_EVENTS, _ operation: Int32) {
        let connection = viewers[index].connections[slot]
        let key = HLSEventKey(viewer: index, slot: slot, serial: connection.serial)
        var event = epoll_event(
            events: what.rawValue | EPOLLONESHOT.rawValue, data: epoll_data_t(u64: key.bits))
        epoll_ctl(epoll, operation, connection.fd, &event)
    }

    /// Sends the request after the link's delay.
    private func begin(_ index: Int, _ slot: Int, _ now: Int64, roundTrips: Int64) {
        let viewer = viewers[index]
        viewer.connections[slot].state = .busy
        let delay = viewer.link?.delay(at: now) ?? 0
        viewer.connections[slot].sendAt = now + (1 + 2 * roundTrips) * delay
        if delay == 0 { send(index, slot, now) }
    }

    private func send(_ index: Int, _ slot: Int, _ now: Int64) {
        let connection = viewers[index].connections[slot]
        connection.sendAt = nil
        connection.sentAt = now
        do {
            if let tls = connection.tls {
                tls.send(connection.text)
                try connection.write(tls.outgoing() ?? [])
            } else {
                try connection.write(connection.text)
            }
        } catch {
            return broken(index, slot, "\(error)", now)
        }
        connection.isReadable = false
        arm(index, slot, EPOLLIN, EPOLL_CTL_MOD)
    }

    // MARK: Events

    func ready(_ key: HLSEventKey, _ now: Int64) {
        let (index, slot) = (key.viewer, key.slot)
        let viewer = viewers[index]
        let connection = viewer.connections[slot]
        // An earlier event of the same wait may have replaced the socket of this one.
        guard viewer.isPresent, connection.isOpen, connection.serial == key.serial else { return }
        switch connection.state {
        case .connecting:
            let code = SocketConnector.pendingError(connection.fd)
            guard code == 0 else {
                broken(index, slot, "cannot connect: \(String(cString: strerror(code)))", now)
                break
            }
            if viewer.localPort == 0 { viewer.localPort = SocketConnector.localPort(connection.fd) }
            do {
                let url = hosts[connection.host].url
                if url.isSecure {
                    connection.tls = try TLSStream(
                        options.trust.context(), host: url.host, port: url.port)
                }
                // The handshake of TCP takes a round trip, and that of TLS another.
                begin(index, slot, now, roundTrips: url.isSecure ? 2 : 1)
            } catch {
                broken(index, slot, "\(error)", now)
            }
        case .busy:
            // The bytes that the link has carried until now belong to the other connection.
            transfer(index, 1 - slot, now)
            guard viewer.isPresent else { return }
            if !viewer.hasWaitingBytes {
                viewer.link?.idle(at: now, keepsCredit: connection.firstByteAt > 0)
            }
            connection.isReadable = true
            connection.readAt = 0
        case .idle, .closed: return
        }
        serve(index, now)
    }

    /// Sends the request whose time has come, or reads what the link has carried by now.
    /// - Parameter isPlanned: whether a read that is planned for later stays so. What is due for it
    ///   stays due, and a smaller read costs as much.
    private func transfer(_ index: Int, _ slot: Int, _ now: Int64, isPlanned: Bool = false) {
        let viewer = viewers[index]
        let connection = viewer.connections[slot]
        if connection.state == .busy, let sendAt = connection.sendAt, sendAt <= now {
            send(index, slot, now)
        }
        guard viewer.isPresent, connection.isReading, connection.isReadable,
            !isPlanned || connection.readAt <= now
        else { return }
        connection.readAt = 0
        guard let due = viewer.link?.due(at: now) else { return read(index, slot, .max, now) }
        if due > 0 { read(index, slot, due, now) }
    }

    /// Reads what a viewer's link has carried by now, for counts and at the viewer's end.
    func readDue(_ index: Int, _ now: Int64) {
        guard viewers[index].isPresent, viewers[index].link != nil else { return }
        for slot in HLSPlayerRequest.Slot.allCases.reversed() {
            transfer(index, slot.rawValue, now)
        }
    }

    /// Reads the bytes that wait, at most `due`.
    private func read(_ index: Int, _ slot: Int, _ due: Int, _ now: Int64) {
        let viewer = viewers[index]
        let connection = viewer.connections[slot]
        var left = due
        var isShort = false
        // The number of reads is bounded, so that a fast server does not hold up the loop.
        for _ in 0..<16 {
            guard left > 0, connection.isReading, connection.isReadable else { break }
            let discardable = connection.discardable
            let limit = min(left, discardable > 0 ? discardable : Self.readSize)
            let count =
                discardable > 0
                ? recv(connection.fd, nil, limit, Int32(MSG_TRUNC))
                : recv(connection.fd, buffer.baseAddress, limit, 0)
            guard count > 0 else {
                if count < 0, errno == EAGAIN || errno == EINTR {
                    if isShort { connection.refillsSlowly = true }
                    awaitBytes(index, slot)
                } else {
                    closedByPeer(index, slot, count == 0 ? 0 : errno, now)
                }
                break
            }
            left -= count
            isShort = count < limit
            connection.noteRead(count)
            let bytes: UnsafeRawBufferPointer? =
                discardable > 0 ? nil : UnsafeRawBufferPointer(rebasing: buffer[..<count])
            switch viewer.take(bytes, count, slot, now) {
            case .more:
                // A short read has emptied the socket, so that another one would find nothing.
                // Behind a link it is made, because the server may have refilled the socket during
                // the first one, and a link with waiting bytes is not idle.
                if isShort, viewer.link == nil { awaitBytes(index, slot) }
            case .whole: viewer.arrived(slot, now, window: window)
            case .broken(let why): broken(index, slot, why, now)
            case .unreadable(let why): unanswered(index, slot, why, now)
            }
        }
        if left > 0, !viewer.hasWaitingBytes { viewer.link?.idle(at: now) }
        // Without a link, no other event would continue reading the remaining bytes.
        if viewer.link == nil, connection.isReading, connection.isReadable {
            schedule(index, at: now + 1)
        }
    }

    /// Waits for readiness, because the socket holds no more bytes.
    private func awaitBytes(_ index: Int, _ slot: Int) {
        viewers[index].connections[slot].isReadable = false
        arm(index, slot, EPOLLIN, EPOLL_CTL_MOD)
    }
}
