import Media
import SimulationKernel
import Statistics

/// One stream name: what came in for it, who played it, and how long the server took.
final class CapturedStream {
    let app: String
    let name: String
    /// Publishing directions of the publishers' connections.
    var publishers: [FlowHalf] = []
    var subscribers: [CapturedSubscriber] = []
    /// Number of subscribers beyond the limit of the report.
    var uncountedSubscribers = 0
    private(set) var ingress = MediaAccount()
    private(set) var delays: [CapturedProtocol: DelayHistogram] = [:]
    private(set) var frames: [RelayedFrame] = []
    private(set) var ingressFrames: [IngressFrame] = []
    let upstream = TrafficSeries()
    let downstream = TrafficSeries()
    private var window: IngressWindow

    init(app: String, name: String, ingressMessageLimit: Int) {
        self.app = app
        self.name = name
        window = IngressWindow(limit: ingressMessageLimit)
    }

    var hasIngress: Bool { !window.isEmpty || ingress.messages > 0 }

    /// Whether this is a stream and not merely a web page that was requested.
    var isStream: Bool {
        hasIngress || !publishers.isEmpty || uncountedSubscribers > 0
            || subscribers.contains { $0.transport == .rtmp || $0.media.messages > 0 }
    }

    func receiveIngress(_ message: MediaMessage, counts: Bool) {
        if counts { ingress.add(message) }
        guard !message.isConfiguration else { return }
        window.append(hash: message.hash, time: message.time, isVideo: message.isVideo)
    }

    /// Keeps a frame that came in. Returns whether the frame has a stamp and came in the window, or
    /// not long before it.
    func keepIngressFrame(_ message: MediaMessage, window: Window?) -> Bool {
        guard let stamp = message.stamp,
            window.map({
                message.time >= $0.startNanoseconds - IngressFrame.lead
                    && message.time < $0.endNanoseconds + IngressFrame.lead
            }) ?? true
        else { return false }
        ingressFrames.append(
            IngressFrame(
                streamID: stamp.streamID, frameNumber: stamp.frameNumber,
                intendedNanoseconds: stamp.intendedNanoseconds, arrivalNanoseconds: message.time))
        return true
    }

    /// - Parameter frameLimit: Number of frames that may still be kept one by one.
    /// - Returns: Whether a frame was kept.
    func receiveEgress(
        _ message: MediaMessage, _ subscriber: CapturedSubscriber, options: CaptureOptions,
        keepsFrames: Bool
    ) -> Bool {
        let counts = options.window?.contains(message.time) ?? true
        if counts { subscriber.media.add(message) }
        guard !message.isConfiguration else { return false }
        let ingressTime = subscriber.matcher.receive(
            hash: message.hash, isVideo: message.isVideo, time: message.time, in: window
        ) { outcome in
            self.settle(outcome, subscriber, options)
        }
        guard keepsFrames, counts, let ingressTime, ingressTime >= subscriber.playNanoseconds,
            let stamp = message.stamp
        else { return false }
        let frame = RelayedFrame(
            clientAddress: subscriber.address, clientPort: subscriber.client.port,
            streamID: stamp.streamID,
            frameNumber: stamp.frameNumber, relayDelayNanoseconds: message.time &- ingressTime,
            egressNanoseconds: message.time)
        if subscriber.join.isOver { frames.append(frame) } else { subscriber.join.attach(frame) }
        return true
    }

    private func settle(
        _ outcome: RelayMatcher.Outcome, _ subscriber: CapturedSubscriber, _ options: CaptureOptions
    ) {
        subscriber.settle(outcome, options.window) { nanoseconds, frame in
            if let frame { frames.append(frame) }
            // Readers that wake rarely delay their own acknowledgements, and thereby a server that
            // keeps Nagle's algorithm. If probes are known, the relay delay is therefore taken from
            // them alone.
            guard options.frameAgent == nil || subscriber.isProbe else { return }
            delays[subscriber.transport, default: .init()].record(nanoseconds: nanoseconds)
        }
    }
}

/// A subscriber is one play request with the media that the server sent in response.
final class CapturedSubscriber {
    /// The direction that plays. The property is not the connection itself, because the connection
    /// holds the subscriber.
    let downstream: FlowHalf
    let serverPort: UInt16
    let client: Endpoint
    /// Address of the client as text, made once.
    let address: String
    let transport: CapturedProtocol
    /// Capture time of the play request, in ns since 1970.
    let playNanoseconds: Int64
    let isDissected: Bool
    /// Whether the user agent matches `CaptureOptions.frameAgent`.
    let isProbe: Bool
    var media = MediaAccount()
    var matcher = RelayMatcher()
    private(set) var counts = MatchCounts()
    private(set) var delaySum = 0.0
    private(set) var delayMaximum: Int64?
    var join = JoinBurst()
    /// Whether nothing has gone out yet that came in after the play request.
    private var isInBurst = true
    /// Number of messages without a match before the first message that has one; they are join
    /// burst if that message is.
    private var undecided = 0

    init(
        _ flow: Flow, transport: CapturedProtocol, playNanoseconds: Int64, isDissected: Bool,
        isProbe: Bool
    ) {
        self.isProbe = isProbe
        downstream = flow.downstream
        serverPort = flow.server.port
        client = flow.client
        address = flow.client.address
        self.transport = transport
        self.playNanoseconds = playNanoseconds
        self.isDissected = isDissected
    }

    private var hasMatched = false

    /// Counts one outcome. Hands on each relay delay that the outcome settles, and the frame that
    /// has this delay, if the frame was kept back.
    func settle(
        _ outcome: RelayMatcher.Outcome, _ window: Window?,
        record: (Int64, RelayedFrame?) -> Void
    ) {
        switch outcome {
        case .missing(let count, let egress):
            if !isInBurst, window?.contains(egress) ?? true { counts.missing += count }
        case .unmatched(let egress):
            guard window?.contains(egress) ?? true else { return }
            if !hasMatched {
                undecided += 1
            } else if isInBurst {
                counts.burst += 1
            } else {
                counts.unmatched += 1
            }
        case .matched(let ingress, let egress):
            let isBurst = ingress < playNanoseconds
            hasMatched = true
            if isBurst { counts.burst += undecided } else { counts.unmatched += undecided }
            undecided = 0
            if isBurst {
                if window?.contains(egress) ?? true { counts.burst += 1 }
                return
            }
            isInBurst = false
            let (decided, isHeld) = join.receive(ingress: ingress, egress: egress)
            for (message, isBurst) in decided where window?.contains(message.egress) ?? true {
                if isBurst {
                    counts.burst += 1
                } else {
                    count(message.egress &- message.ingress, message.frame, record)
                }
            }
            if !isHeld, window?.contains(egress) ?? true {
                count(egress &- ingress, nil, record)
            }
        }
    }

    private func count(
        _ delay: Int64, _ frame: RelayedFrame?, _ record: (Int64, RelayedFrame?) -> Void
    ) {
        counts.matched += 1
        delaySum += Double(delay)
        delayMaximum = max(delayMaximum ?? delay, delay)
        record(delay, frame)
    }

    /// Returns the counts so far, including the messages that wait for a decision.
    func currentCounts(
        _ window: Window?, _ delay: (Int64) -> Void
    ) -> MatchCounts {
        var counts = counts
        counts.unmatched += undecided
        let waiting = join.held.map { ($0.ingress, $0.egress) } + matcher.tentative
        for (ingress, egress) in waiting where window?.contains(egress) ?? true {
            if ingress < playNanoseconds {
                counts.burst += 1
            } else {
                counts.matched += 1
                delay(egress &- ingress)
            }
        }
        return counts
    }
}
