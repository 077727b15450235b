import RTMP

/// An event in a flow's contents, for the analyzer.
enum FlowEvent {
    case publish(app: String, name: String, messageStreamID: UInt32)
    case play(app: String, name: String, messageStreamID: UInt32)
    case media(MediaMessage, publishes: Bool)
}

/// Recognises a flow's protocol and dissects its contents.
enum FlowDissector {
    static func receive(
        _ event: TCPReassembler.Event, up: Bool, time: Int64, _ flow: Flow,
        emit: (FlowEvent) -> Void
    ) {
        guard flow.half(up: up).isFollowed else { return }
        switch event {
        case .data(let bytes):
            if case .unknown = flow.dialect {
                guard recognize(bytes, up: up, flow) else { return }
                if !flow.opening.isEmpty, up {
                    // The request line began in an earlier segment.
                    let joined = flow.opening + bytes
                    flow.opening = []
                    joined.withUnsafeBytes { dissect($0, up: up, time, flow, emit) }
                    return
                }
            }
            dissect(bytes, up: up, time, flow, emit)
        case .gap(let length), .cut(let length):
            if !gap(length, up: up, time, flow) { flow.lose(up: up) }
        }
    }

    /// Decides on the protocol from the first bytes. Returns false while there is nothing to
    /// dissect.
    private static func recognize(
        _ bytes: UnsafeRawBufferPointer, up: Bool, _ flow: Flow
    ) -> Bool {
        guard up else {
            // A server that speaks first does not speak RTMP or HTTP.
            flow.giveUp()
            return false
        }
        let start = flow.opening + bytes.upTo(4 - flow.opening.count)
        let request: [UInt8] = [0x47, 0x45, 0x54, 0x20]
        if start.first == 3 {
            flow.dialect = .rtmp
            return true
        }
        guard start.elementsEqual(request.prefix(start.count)) else {
            // The bytes are a TLS record with a handshake (RFC 8446, 5.1).
            flow.isEncrypted = start.starts(with: [0x16, 0x03])
            flow.giveUp()
            return false
        }
        if start.count < 4 {
            flow.opening = start
            return false
        }
        flow.dialect = .http
        return true
    }

    private static func dissect(
        _ bytes: UnsafeRawBufferPointer, up: Bool, _ time: Int64, _ flow: Flow,
        _ emit: (FlowEvent) -> Void
    ) {
        let isGood: Bool
        switch flow.dialect {
        case .rtmp: isGood = rtmp(bytes, up: up, time, flow, emit)
        case .http where up:
            isGood = flow.requests.receive(bytes) { target, agent, isHead in
                flow.response.requested(target, isHead: isHead, time: time)
                flow.setAgent(agent)
                // Playlists and segments are responses, not streams that are played.
                let path = target.prefix { $0 != "?" && $0 != "#" }
                guard HTTPResourceKind(path: path) == nil else { return }
                let (app, name) = HTTPRequestDissector.stream(target)
                emit(.play(app: app, name: name, messageStreamID: 0))
            }
        case .http:
            isGood = flow.response.receive(bytes, time: time) {
                emit(.media($0, publishes: false))
            }
        case .unknown, .opaque: return
        }
        if !isGood { flow.lose(up: up) }
    }

    private static func rtmp(
        _ bytes: UnsafeRawBufferPointer, up: Bool, _ time: Int64, _ flow: Flow,
        _ emit: (FlowEvent) -> Void
    ) -> Bool {
        if !up, !flow.sawServerVersion, flow.handshakeLeft.down == Flow.handshakeLength {
            // S0 is the version that the client requested, or the server's own.
            guard bytes[0] <= 31 else { return false }
            flow.sawServerVersion = true
        }
        var skipped = 0
        if up {
            skipped = min(flow.handshakeLeft.up, bytes.count)
            flow.handshakeLeft.up -= skipped
        } else {
            skipped = min(flow.handshakeLeft.down, bytes.count)
            flow.handshakeLeft.down -= skipped
        }
        let rest = bytes.from(skipped)
        guard rest.count > 0 else { return true }
        guard up else {
            flow.downChunks.wantsStamps = flow.keepsFrames
            return flow.downChunks.receive(rest, time: time) { output in
                if case .media(let message) = output { emit(.media(message, publishes: false)) }
            }
        }
        flow.upChunks.wantsStamps = flow.keepsIngressFrames
        return flow.upChunks.receive(rest, time: time) { output in
            switch output {
            case .media(let message): emit(.media(message, publishes: true))
            case .command(let command, let id): self.command(command, id, flow, emit)
            }
        }
    }

    private static func command(
        _ command: Command, _ messageStreamID: UInt32, _ flow: Flow, _ emit: (FlowEvent) -> Void
    ) {
        switch command.name {
        case "connect":
            var app = command.arguments.first?["app"]?.string ?? ""
            app = RTMPURL.splitQuery(app).key
            flow.setAgent(command.arguments.first?["flashVer"]?.string ?? "")
            app = String(decoding: app.utf8.prefix(StreamTable.nameLimit), as: UTF8.self)
            flow.app = app.split(separator: "/").joined(separator: "/")
        case "publish", "play":
            guard let name = command.arguments.dropFirst().first?.string else { return }
            let key = RTMPURL.splitQuery(name).key
            emit(
                command.name == "publish"
                    ? .publish(app: flow.app, name: key, messageStreamID: messageStreamID)
                    : .play(app: flow.app, name: key, messageStreamID: messageStreamID))
        case "deleteStream":
            guard let id = command.arguments.dropFirst().first?.number,
                let id = UInt32(exactly: id)
            else { return }
            flow.roles.removeAll { $0.messageStreamID == id }
        default: break
        }
    }

    private static func gap(_ length: Int, up: Bool, _ time: Int64, _ flow: Flow) -> Bool {
        switch flow.dialect {
        case .unknown, .opaque: return false
        case .http: return up ? false : flow.response.gap(length)
        case .rtmp:
            var left = length
            if up {
                let skipped = min(flow.handshakeLeft.up, left)
                flow.handshakeLeft.up -= skipped
                left -= skipped
                return left == 0 || flow.upChunks.gap(left, time: time)
            }
            let skipped = min(flow.handshakeLeft.down, left)
            flow.handshakeLeft.down -= skipped
            left -= skipped
            return left == 0 || flow.downChunks.gap(left, time: time)
        }
    }
}
