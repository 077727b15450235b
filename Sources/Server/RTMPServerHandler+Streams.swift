import HTTPWire
import Logging
import NIOCore
import RTMP

/// Decisions on connecting, publishing and playing, and their execution.
extension RTMPServerHandler {
    var isOpen: Bool {
        if case .closed = phase { false } else { true }
    }

    // MARK: Call-backs

    /// Asks whether the peer may connect, if the message is its `connect`. Returns true if the
    /// message waits for the answer; it is worked on afterwards.
    func askToConnect(_ message: Message) throws -> Bool {
        guard context != nil, let command = try gate.connectCommand(message) else { return false }
        hasAskedToConnect = true
        guard let answer = gate.ask(toConnect: command, peer) else { return false }
        // The answer may take long, and the payload lies in a large buffer that was read into.
        var message = message
        message.payload = ByteBuffer(bytes: message.payload.readableBytesView)
        let kept = message
        wait(for: answer) { handler, refusal in
            if let refusal {
                handler.reply {
                    try handler.session.rejectConnection(command, "this server does not let you in")
                }
                return handler.close("connect is refused: \(refusal)")
            }
            for action in try handler.session.receive(kept) { handler.perform(action) }
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
        let answer: EventLoopFuture<CallBacks.Refusal>
        switch gate.judge(action, request, context.channel, peer) {
        case .accepted: return then(self)
        case .refused(let why): return refuse(request, code, why)
        case .asked(let future): answer = future
        }
        wait(for: answer) { handler, refusal in
            guard let refusal else {
                handler.tellsEnd = true
                return then(handler)
            }
            handler.logger.notice("\(action.rawValue) is refused: \(refusal)")
            handler.refuse(request, code, "this server does not accept it")
        }
    }

    /// Notifies the call-back that the action which it allowed has ended.
    func tellEnd() {
        guard tellsEnd, role.streamName != nil else { return }
        tellsEnd = false
        gate.tellEnd(of: role, peer)
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
        guard let context, let outlet else { return }
        let name = "\(request.application)/\(request.streamKey)"
        let channel = context.channel
        let address = PeerAddress.text(channel)
        let isEncoder = gate.isEncoder(request, channel)
        let claim = directory.claim(name, address: address, isEncoder: isEncoder) {
            channel.close(promise: nil)
        }
        let granted: StreamDirectory.Grant
        switch claim {
        case .granted(let grant): granted = grant
        case .resumed(let grant, let cut):
            granted = grant
            cut?()
        case .refused(let why), .full(let why):
            return refuse(request, "NetStream.Publish.BadName", why)
        }
        input.beginStream()
        let ingest = Ingest(
            name: name, claim: granted, directory: directory, hubs: hubs,
            backlog: backlog, outlet: outlet, configuration: configuration,
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
        guard hub.assignSender(to: outlet, of: name) else {
            return refuse(
                request, "NetStream.Play.Failed",
                "there are as many sender threads as this server starts")
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
