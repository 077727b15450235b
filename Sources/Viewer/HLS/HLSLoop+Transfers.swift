import CLinux
import Glibc
import HTTPWire
import Sockets

/// Requests and responses of an HLS loop's viewers.
extension HLSLoop {
    /// Does everything that is due for a viewer at `now`, then determines when the viewer is served
    /// next.
    func serve(_ index: Int, _ now: Int64) {
        guard viewers[index].isPresent else { return }
        // The number of rounds is bounded: a session whose timers stay due continues after the
        // other viewers.
        for _ in 0..<16 {
            deliver(index, now)
            let time = viewers[index].milliseconds(now)
            if viewers[index].session.nextTimer <= time {
                viewers[index].tell(.timer, at: time)
            }
            if viewers[index].session.judgement <= time {
                // The judgement counts the bytes that have come due by now.
                transfer(index, HLSPlayerRequest.Slot.media.rawValue, now)
                guard viewers[index].isPresent else { return }
                viewers[index].judge(now)
            }
            let isIdle = !performCommands(index, now)
            guard viewers[index].isPresent else { return }
            if isIdle { break }
        }
        for slot in [1, 0] { transfer(index, slot, now) }
        guard viewers[index].isPresent else { return }
        schedule(index, at: max(viewers[index].nextWake(now), now + 1))
    }

    /// Performs what the session has requested since the last call. Returns whether there was
    /// anything.
    func performCommands(_ index: Int, _ now: Int64) -> Bool {
        let actions = viewers[index].takePending()
        for action in actions where viewers[index].isPresent { perform(action, index, now) }
        return !actions.isEmpty
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
        let slot = request.slot.rawValue
        do {
            let host = try hosts.place(of: url)
            viewers[index].prepare(
                request, url, host: host, redirects: redirects, agent: options.agent, at: now)
            if viewers[index].connections[slot].isOpen {
                viewers[index].connections[slot].isReused = true
                begin(index, slot, now, roundTrips: 0)
            } else {
                try connect(index, slot, host)
            }
        } catch {
            let time = viewers[index].milliseconds(now)
            viewers[index].tell(.failed(request.slot, .broken("\(error)")), at: time)
            schedule(index, at: now + 1)
        }
    }

    private func connect(_ index: Int, _ slot: Int, _ host: Int) throws {
        let fd = try hosts[host].connector.connect(
            congestionControl: options.congestionControl, shaped: viewers[index].link != nil,
            from: viewers[index].session.spec.localAddress)
        viewers[index].connections[slot].fd = fd
        viewers[index].connections[slot].host = host
        viewers[index].connections[slot].state = .connecting
        viewers[index].connections[slot].isReused = false
        arm(index, slot, EPOLLOUT, EPOLL_CTL_ADD)
    }

    private func arm(_ index: Int, _ slot: Int, _ what: EPOLL_EVENTS, _ operation: Int32) {
        var event = epoll_event(
            events: what.rawValue | EPOLLONESHOT.rawValue,
            data: epoll_data_t(u64: UInt64(index) << 1 | UInt64(slot)))
        epoll_ctl(epoll, operation, viewers[index].connections[slot].fd, &event)
    }

    /// Sends the request after the link's delay.
    private func begin(_ index: Int, _ slot: Int, _ now: Int64, roundTrips: Int64) {
        viewers[index].connections[slot].state = .busy
        let delay = viewers[index].link?.delay(at: now) ?? 0
        viewers[index].connections[slot].sendAt = now + (1 + 2 * roundTrips) * delay
        if delay == 0 { send(index, slot, now) }
    }

    private func send(_ index: Int, _ slot: Int, _ now: Int64) {
        let connection = viewers[index].connections[slot]
        viewers[index].connections[slot].sendAt = nil
        viewers[index].connections[slot].sentAt = now
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
        viewers[index].connections[slot].isReadable = false
        arm(index, slot, EPOLLIN, EPOLL_CTL_MOD)
    }

    // MARK: Events

    func ready(_ index: Int, _ slot: Int, _ now: Int64) {
        guard viewers[index].isPresent, viewers[index].connections[slot].isOpen else { return }
        switch viewers[index].connections[slot].state {
        case .connecting:
            let fd = viewers[index].connections[slot].fd
            let code = SocketConnector.pendingError(fd)
            guard code == 0 else {
                broken(index, slot, "cannot connect: \(String(cString: strerror(code)))", now)
                break
            }
            if viewers[index].localPort == 0 {
                viewers[index].localPort = SocketConnector.localPort(fd)
            }
            do {
                let url = hosts[viewers[index].connections[slot].host].url
                if url.isSecure {
                    viewers[index].connections[slot].tls = try TLSStream(
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
            guard viewers[index].isPresent else { return }
            if !viewers[index].hasWaitingBytes {
                let isBegun = viewers[index].connections[slot].firstByteAt > 0
                viewers[index].link?.idle(at: now, keepsCredit: isBegun)
            }
            viewers[index].connections[slot].isReadable = true
        case .idle, .closed: return
        }
        serve(index, now)
    }

    private func transfer(_ index: Int, _ slot: Int, _ now: Int64) {
        let connection = viewers[index].connections[slot]
        if connection.state == .busy, let sendAt = connection.sendAt, sendAt <= now {
            send(index, slot, now)
        }
        guard viewers[index].isPresent, viewers[index].connections[slot].isReading,
            viewers[index].connections[slot].isReadable
        else { return }
        guard let due = viewers[index].link?.due(at: now) else {
            return read(index, slot, .max, now)
        }
        if due > 0 { read(index, slot, due, now) }
    }

    /// Reads the bytes that wait, at most `due`.
    private func read(_ index: Int, _ slot: Int, _ due: Int, _ now: Int64) {
        var left = due
        // The number of reads is bounded, so that a fast server does not hold up the loop.
        for _ in 0..<16 {
            let connection = viewers[index].connections[slot]
            guard left > 0, connection.isReading, connection.isReadable else { break }
            let discardable = connection.discardable
            let limit = min(left, discardable > 0 ? discardable : Self.readSize)
            let count =
                discardable > 0
                ? recv(connection.fd, nil, limit, Int32(MSG_TRUNC))
                : recv(connection.fd, buffer.baseAddress, limit, 0)
            guard count > 0 else {
                if count < 0, errno == EAGAIN || errno == EINTR {
                    viewers[index].connections[slot].isReadable = false
                    arm(index, slot, EPOLLIN, EPOLL_CTL_MOD)
                } else {
                    closedByPeer(index, slot, count == 0 ? 0 : errno, now)
                }
                break
            }
            left -= count
            let bytes: UnsafeRawBufferPointer? =
                discardable > 0 ? nil : UnsafeRawBufferPointer(rebasing: buffer[..<count])
            switch viewers[index].take(bytes, count, slot, now) {
            case .more: break
            case .whole: viewers[index].arrived(slot, now, window: window)
            case .broken(let why): broken(index, slot, why, now)
            case .unreadable(let why): unanswered(index, slot, why, now)
            }
        }
        if left > 0, !viewers[index].hasWaitingBytes { viewers[index].link?.idle(at: now) }
        // Without a link, no other event would continue reading the remaining bytes.
        if viewers[index].link == nil, viewers[index].connections[slot].isReading,
            viewers[index].connections[slot].isReadable
        {
            schedule(index, at: now + 1)
        }
    }
}
