import NIOCore
import RTMP

/// Decides whether an RTMP peer may connect, publish and play: first by address and key, then by
/// the response of a call-back.
struct RTMPGate {
    enum Verdict {
        case accepted
        /// The peer is refused; the text is for the peer.
        case refused(String)
        /// The response of a call-back decides.
        case asked(EventLoopFuture<CallBacks.Refusal>)
    }

    let access: AccessPolicy
    let admissions: Admissions
    let encoders: EncoderRegistry
    /// Whether the server starts encoders.
    let hasLadders: Bool

    /// Returns the command of a `connect` message; nil for another message, or if there is no
    /// call-back to ask.
    func connectCommand(_ message: Message) throws -> Command? {
        guard message.type == .commandAMF0 || message.type == .commandAMF3,
            access.callBacks != nil
        else { return nil }
        let command = try Command(message)
        return command.name == "connect" ? command : nil
    }

    /// Asks the call-back whether a peer may connect. Returns nil if there is no call-back, or if
    /// the application's name is too long.
    func ask(
        toConnect command: Command, _ peer: String
    ) -> EventLoopFuture<CallBacks.Refusal>? {
        let name = command.arguments.first?["app"]?.string ?? ""
        guard let callBacks = access.callBacks,
            name.utf8.count <= ServerSessionStateMachine.nameLimit
        else { return nil }
        let (application, query) = RTMPURL.splitQuery(name)
        let call = CallBack(
            event: .connect, protocol: "rtmp", application: application, query: query,
            connection: peer)
        return callBacks.ask(call)
    }

    /// Decides by address and key whether the peer may publish or play, then asks the call-back. An
    /// encoder of this server that requests one of its own streams is accepted without either.
    func judge(
        _ action: AccessPolicy.Action, _ request: ServerSessionStateMachine.StreamRequest,
        _ channel: any Channel, _ peer: String
    ) -> Verdict {
        // The client chooses the slash at which the name is split: `live` and `vip/cam` are the
        // same stream as `live/vip` and `cam`, and a rule about one applies to the other.
        let (application, stream) = StreamName.split(
            "\(request.application)/\(request.streamKey)")
        if access.mayRefuse(action), isEncoder(request, channel) { return .accepted }
        let verdict = access.judge(
            action, stream, of: application, query: request.query,
            address: channel.remoteAddress?.ipAddress)
        switch verdict {
        case .accepted: break
        case .refused(let why): return .refused(why)
        case .wait(let seconds):
            admissions.refuse(.wrongKeys)
            return .refused(
                "this address has sent too many wrong stream keys; try again in \(seconds) s")
        }
        guard let callBacks = access.callBacks else { return .accepted }
        let call = CallBack(
            event: action == .publish ? .publish : .play, protocol: "rtmp",
            application: application, stream: stream, query: request.query,
            connection: peer)
        return .asked(callBacks.ask(call))
    }

    /// Whether the peer is an encoder of this server that requests one of its own streams.
    func isEncoder(
        _ request: ServerSessionStateMachine.StreamRequest, _ channel: any Channel
    ) -> Bool {
        hasLadders && encoders.owns(channel, "\(request.application)/\(request.streamKey)")
    }

    /// Notifies the call-back that the publication or playback that it allowed has ended.
    func tellEnd(of role: RTMPRole, _ peer: String) {
        guard let callBacks = access.callBacks, let name = role.streamName else { return }
        let (application, stream) = StreamName.split(name)
        var call = CallBack(
            event: .end, protocol: "rtmp", application: application, stream: stream,
            connection: peer)
        if case .publishing = role { call.ended = "publish" } else { call.ended = "play" }
        callBacks.tell(call)
    }
}
