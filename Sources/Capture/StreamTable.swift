import SimulationKernel

/// The streams seen, and the facts about them that flows bring.
final class StreamTable {
    struct Key: Hashable {
        var app: String
        var name: String
    }

    /// Longest name in bytes; a longer one is cut.
    static let nameLimit = 1024

    private(set) var streams: [Key: CapturedStream] = [:]
    /// Number of RTMP and HTTP-FLV connections that named a stream.
    private(set) var rtmpFlows = 0
    private(set) var httpFLVFlows = 0
    private var subscribers = 0
    private var frames = 0
    private var ingressFrames = 0
    private let streamLimit: Int
    private let ingressMessageLimit: Int

    init(_ options: CaptureOptions) {
        streamLimit = options.streamLimit
        ingressMessageLimit = options.ingressMessageLimit
    }

    func receive(_ event: FlowEvent, _ flow: Flow, time: Int64, _ options: CaptureOptions) {
        switch event {
        case .publish(let app, let name, let id):
            guard let stream = stream(app, name) else { return }
            if flow.roles.isEmpty { rtmpFlows += 1 }
            guard flow.roles.count < Flow.roleLimit else { return }
            flow.roles.removeAll { $0.messageStreamID == id }
            flow.roles.append(Flow.Role(messageStreamID: id, stream: stream, subscriber: nil))
            if stream.publishers.count < options.subscriberLimit,
                !stream.publishers.contains(where: { $0 === flow.upstream })
            {
                stream.publishers.append(flow.upstream)
            }
        case .play(let app, let name, let id):
            play(app, name, id, flow, time, options)
        case .media(let message, let publishes):
            guard
                let role = flow.role(
                    publishes: publishes, messageStreamID: message.messageStreamID)
            else { return }
            guard let subscriber = role.subscriber else {
                role.stream.receiveIngress(
                    message, counts: options.window?.contains(message.time) ?? true)
                if ingressFrames < options.ingressFrameLimit,
                    role.stream.keepIngressFrame(message, window: options.window)
                {
                    ingressFrames += 1
                }
                return
            }
            let keepsFrames = flow.keepsFrames && frames < options.frameLimit
            if role.stream.receiveEgress(
                message, subscriber, options: options, keepsFrames: keepsFrames)
            {
                frames += 1
            }
        }
    }

    private func play(
        _ app: String, _ name: String, _ id: UInt32, _ flow: Flow, _ time: Int64,
        _ options: CaptureOptions
    ) {
        let isHTTP = if case .http = flow.dialect { true } else { false }
        if isHTTP, flow.server.port != 0, name.isEmpty { return }
        guard let stream = stream(app, name, matchesAnyApp: isHTTP) else { return }
        if flow.roles.isEmpty { if isHTTP { httpFLVFlows += 1 } else { rtmpFlows += 1 } }
        flow.roles.removeAll { $0.messageStreamID == id }
        guard flow.roles.count < Flow.roleLimit else { return }
        guard subscribers < options.subscriberLimit else {
            stream.uncountedSubscribers += 1
            return
        }
        let isChosen =
            options.dissectedClientPorts.map { $0.contains(flow.client.port) } ?? true
        let dissects =
            isChosen
            || options.dissectedClientPorts != nil
                && options.dissectedSubscribersPerStream != .max
                && stream.subscribers.count < options.dissectedSubscribersPerStream
        let isWithinSample =
            options.dissectedClientPorts != nil
            || stream.subscribers.count < options.dissectedSubscribersPerStream
        let isProbe = options.frameAgent.map { flow.agent.contains($0) } ?? false
        if isProbe {
            flow.keepsFrames = true
            flow.response.wantsStamps = true
        }
        flow.downstream.isIgnored = !(isProbe || dissects && isWithinSample)
        let subscriber = CapturedSubscriber(
            flow, transport: isHTTP ? .httpFLV : .rtmp, playNanoseconds: time,
            isDissected: !flow.downstream.isIgnored,
            isProbe: isProbe)
        subscribers += 1
        stream.subscribers.append(subscriber)
        flow.roles.append(Flow.Role(messageStreamID: id, stream: stream, subscriber: subscriber))
    }

    /// - Parameter matchesAnyApp: Whether the application is only a guess from a path, so that a
    ///   stream of this name matches if it is the only one.
    private func stream(
        _ app: String, _ name: String, matchesAnyApp: Bool = false
    ) -> CapturedStream? {
        let key = Key(
            app: String(decoding: app.utf8.prefix(Self.nameLimit), as: UTF8.self),
            name: String(decoding: name.utf8.prefix(Self.nameLimit), as: UTF8.self))
        if let known = streams[key] { return known }
        if matchesAnyApp {
            let others = streams.values.filter { $0.name == key.name }
            if others.count == 1 { return others[0] }
        }
        guard streams.count < streamLimit else { return nil }
        let stream = CapturedStream(
            app: key.app, name: key.name, ingressMessageLimit: ingressMessageLimit)
        streams[key] = stream
        return stream
    }
}
