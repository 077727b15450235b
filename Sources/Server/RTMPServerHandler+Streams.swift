import HTTPWire
import Logging
import NIOCore
import RTMP

/// Decisions on connecting, publishing and playing, and their execution.
extension RTMPServerHandler {
    var isOpen: Bool {
        if case .closed = phase { false } else { true }
    }

    /// Name of the stream that the peer publishes or plays, `<app>/<stream>`.
    var streamName: String? {
        switch role {
        case .none: nil
        case .publishing(let ingest, _): ingest.name
        case .playing(_, let name, _): name
        }
    }

    // MARK: Call-backs

    /// Asks whether the peer may connect, if the message is its `connect`. Returns true if the
    /// message waits for the answer; it is worked on afterwards.
    func askToConnect(_ message: Message) throws -> Bool {
        guard message.type == .commandAMF0 || message.type == .commandAMF3,
            let callBacks = access.callBacks,
            context != nil
        else { return false }
        let command = try Command(message)
        guard command.name == "connect" else { return false }
        hasAskedToConnect = true
        let name = command.arguments.first?["app"]?.string ?? ""
        guard name.utf8.count <= ServerSessionStateMachine.nameLimit else { return false }
        let (application, query) = RTMPURL.splitQuery(name)
        let call = CallBack(
            event: .connect, protocol: "rtmp", application: application, query: query,
            connection: peer)
        wait(for: callBacks.ask(call)) { handler, refusal in
            if let refusal {
                handler.reply {
                    try handler.session.rejectConnection(command, "this server does not let you in")
                }
                return handler.close("connect is refused: \(refusal)")
            }
            for action in try handler.session.receive(message) { handler.perform(action) }
        }
        return true
    }

    /// Continues with `then` once the answer is there; the peer's messages wait in the meantime.
    private func wait(
        for answer: EventLoopFuture<CallBacks.Refusal>,
        _ then: @escaping (RTMPServerHandler, CallBacks.Refusal) throws -> Void
    ) {
        guard let context else { return }
        isHeld = true
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        let bound = NIOLoopBound((self, then), eventLoop: context.eventLoop)
        answer.hop(to: context.eventLoop).whenComplete { result in
            let (handler, then) = bound.value
            guard let context = handler.context, handler.isOpen else { return }
            handler.isHeld = false
            do {
                switch result {
                case .success(let refusal): try then(handler, refusal)
                case .failure(let error): try then(handler, "\(error)")
                }
                guard handler.isOpen else { return }
                try handler.receive(ByteBuffer())
            } catch {
                handler.close("\(error)")
            }
            handler.readAgain()
            handler.channelReadComplete(context: context)
        }
    }

    /// Judges by address and key, then asks the call-back; continues with `then` if both agree.
    private func ask(
        _ action: AccessPolicy.Action, _ request: ServerSessionStateMachine.StreamRequest,
        _ code: String, _ then: @escaping (RTMPServerHandler) -> Void
    ) {
        guard let context else { return }
        let channel = context.channel
        // The client chooses at which slash the name is split: `live` and `vip/cam` are the same
        // stream as `live/vip` and `cam`, and a rule about one holds for the other.
        let (application, stream) = StreamName.split(
            "\(request.application)/\(request.streamKey)")
        if access.mayRefuse(action), isEncoder(request) { return then(self) }
        let verdict = access.judge(
            action, stream, of: application, query: request.query,
            address: channel.remoteAddress?.ipAddress)
        switch verdict {
        case .accepted: break
        case .refused(let why): return refuse(request, code, why)
        case .wait(let seconds):
            admissions.refuse(.wrongKeys)
            return refuse(
                request, code,
                "this address has sent too many wrong stream keys; try again in \(seconds) s")
        }
        guard let callBacks = access.callBacks else { return then(self) }
        let call = CallBack(
            event: action == .publish ? .publish : .play, protocol: "rtmp",
            application: application, stream: stream, query: request.query,
            connection: peer)
        wait(for: callBacks.ask(call)) { handler, refusal in
            guard let refusal else {
                handler.tellsEnd = true
                return then(handler)
            }
            handler.logger.notice("\(action.rawValue) is refused: \(refusal)")
            handler.refuse(request, code, "this server does not accept it")
        }
    }

    func isEncoder(_ request: ServerSessionStateMachine.StreamRequest) -> Bool {
        guard let context, !configuration.ladders.isEmpty else { return false }
        return directory.encoders.owns(
            context.channel, "\(request.application)/\(request.streamKey)")
    }

    /// Notifies the call-back that the action which it allowed has ended.
    func tellEnd() {
        guard tellsEnd, let callBacks = access.callBacks, let name = streamName else { return }
        tellsEnd = false
        let slash = name.lastIndex(of: "/") ?? name.startIndex
        var call = CallBack(
            event: .end, protocol: "rtmp", application: String(name[..<slash]),
            stream: String(name[slash...].dropFirst()), connection: peer)
        if case .publishing = role { call.ended = "publish" } else { call.ended = "play" }
        callBacks.tell(call)
    }

    // MARK: Streams

    func askToPublish(_ request: ServerSessionStateMachine.StreamRequest) {
        guard case .none = role else {
            return refuse(
                request, "NetStream.Publish.BadName", "this connection has a stream already")
        }
        guard !request.streamKey.isEmpty else {
            return refuse(request, "NetStream.Publish.BadName", "the stream has no name")
        }
        ask(.publish, request, "NetStream.Publish.Denied") { $0.publish(request) }
    }

    func askToPlay(_ request: ServerSessionStateMachine.StreamRequest) {
        guard case .none = role else { return }
        ask(.play, request, "NetStream.Play.Failed") { $0.play(request) }
    }

    private func publish(_ request: ServerSessionStateMachine.StreamRequest) {
        guard let context else { return }
        let name = "\(request.application)/\(request.streamKey)"
        let channel = context.channel
        let address = PeerAddress.text(channel)
        let isEncoder = isEncoder(request)
        let claim = directory.claim(name, address: address, isEncoder: isEncoder) {
            channel.close(promise: nil)
        }
        let granted: (id: UInt64, resumesAfter: UInt32?)
        switch claim {
        case .granted(let id): granted = (id, nil)
        case .resumed(let id, let last, let cut):
            granted = (id, last)
            cut?()
        case .refused(let why), .full(let why):
            return refuse(request, "NetStream.Publish.BadName", why)
        }
        reader.messageLimit = .max
        let ingest = Ingest(
            name: name, claim: granted, directory: directory, hubs: hubs,
            backlog: backlog, eventLoop: context.eventLoop, configuration: configuration,
            keepsTimestamps: isEncoder)
        role = .publishing(ingest, messageStreamID: request.messageStreamID)
        reply { try session.acceptPublish(request) }
        logger.info("publish \(name.printable) from \(address)")
    }

    private func play(_ request: ServerSessionStateMachine.StreamRequest) {
        guard let outlet, case .none = role else { return }
        let name = "\(request.application)/\(request.streamKey)"
        let id = request.messageStreamID
        guard let place = admissions.admitPlayer() else {
            return refuse(
                request, "NetStream.Play.Failed", "there are as many players as this server takes")
        }
        let subscriber = Subscriber(
            format: .rtmp(messageStreamID: id), outlet: outlet, configuration: configuration,
            place: place
        ) { [weak self] in
            guard let self else { return }
            reply { try session.playEnded(messageStreamID: id) }
            close("the stream has ended", level: .debug)
        }
        // The answer goes first, because subscribing may send the join burst at once.
        if configuration.earlyPlay == .wait || directory.publications[name] != nil {
            reply { try session.acceptPlay(request) }
            if case .closed = phase { return }
            role = .playing(subscriber, name: name, messageStreamID: id)
            if hub.subscribe(subscriber, to: name) {
                logger.debug("play \(name.printable)")
                return
            }
            role = .none
        }
        refuse(request, "NetStream.Play.StreamNotFound", "nobody publishes \(name)")
    }

    private func refuse(
        _ request: ServerSessionStateMachine.StreamRequest, _ code: String, _ why: String
    ) {
        reply { try session.reject(request, code: code, why) }
        close("\(code): \(why)")
    }
}
