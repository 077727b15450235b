import SimulationKernel
import Statistics

/// Reports the figures of single streams, with those of their publishers and subscribers.
struct StreamReporter {
    /// Window of the analysis, in ns since 1970; nil = the whole capture counts.
    let window: Window?
    /// Text that marks probes. If the text is given, the delays of a stream are those of its probes
    /// alone.
    let frameAgent: String?

    /// Reports the figures collected so far. Messages that still wait for a match are counted as they
    /// stand.
    func report(_ stream: CapturedStream) -> CapturedStreamReport {
        var delays = stream.delays
        let viewers = stream.subscribers.map { viewer($0, &delays[$0.transport]) }
        let delay = delays.values.reduce(into: DelayHistogram()) { $0.add($1) }
        var byProtocol: [String: Int] = [:]
        for viewer in viewers { byProtocol[viewer.transport.rawValue, default: 0] += 1 }
        let payloadRates = stream.subscribers.compactMap { subscriber in
            rate(subscriber.media.payloadBytes, subscriber.media.mediaSeconds)
        }
        let wireRates = viewers.compactMap(\.wireKbps)
        let ingress = ingress(stream)
        return CapturedStreamReport(
            name: stream.name, app: stream.app, publishers: stream.publishers.count,
            subscribers: viewers.count + stream.uncountedSubscribers,
            subscribersByProtocol: byProtocol,
            payloadKbps: ingress.flatMap { rate($0.payloadBytes, $0.mediaSeconds) }
                ?? mean(payloadRates),
            wireKbps: mean(wireRates),
            retransmittedBytes: viewers.reduce(0) { $0 + $1.traffic.retransmittedBytes },
            relayDelay: delays.isEmpty ? nil : delay,
            relayDelayByProtocol: Dictionary(
                uniqueKeysWithValues: delays.map { ($0.key.rawValue, $0.value) }),
            ingress: ingress, viewers: viewers,
            upstream: stream.upstream.sorted, downstream: stream.downstream.sorted,
            frames: stream.frames
                + stream.subscribers.flatMap { $0.join.held.compactMap(\.frame) },
            ingressFrames: stream.ingressFrames)
    }

    private func ingress(_ stream: CapturedStream) -> IngressReport? {
        guard stream.hasIngress else { return nil }
        var traffic = TrafficCounters()
        for half in stream.publishers { traffic.add(half.traffic) }
        let account = stream.ingress
        return IngressReport(
            payloadBytes: account.payloadBytes, audioMessages: account.audioMessages,
            videoMessages: account.videoMessages, mediaSeconds: account.mediaSeconds,
            firstNanoseconds: account.firstNanoseconds, lastNanoseconds: account.lastNanoseconds,
            traffic: traffic)
    }

    private func viewer(
        _ subscriber: CapturedSubscriber, _ delay: inout DelayHistogram?
    ) -> SubscriberReport {
        var sum = subscriber.delaySum
        var maximum = subscriber.delayMaximum
        let counts = subscriber.currentCounts(window) { nanoseconds in
            if delay == nil { delay = DelayHistogram() }
            if frameAgent == nil || subscriber.isProbe {
                delay?.record(nanoseconds: nanoseconds)
            }
            sum += Double(nanoseconds)
            maximum = max(maximum ?? nanoseconds, nanoseconds)
        }
        let traffic = subscriber.downstream.traffic
        var seconds = subscriber.media.mediaSeconds
        if seconds == nil, let first = traffic.firstNanoseconds,
            let last = traffic.lastNanoseconds, last > first
        {
            seconds = Double(last &- first) / 1e9
        }
        return SubscriberReport(
            clientAddress: subscriber.address, clientPort: subscriber.client.port,
            serverPort: subscriber.serverPort, transport: subscriber.transport,
            playNanoseconds: subscriber.playNanoseconds,
            isDissected: subscriber.isDissected && !subscriber.downstream.isLost,
            payloadBytes: subscriber.media.payloadBytes,
            audioMessages: subscriber.media.audioMessages,
            videoMessages: subscriber.media.videoMessages,
            mediaSeconds: subscriber.media.mediaSeconds, messages: counts,
            delayMeanNanoseconds: counts.matched > 0 ? sum / Double(counts.matched) : nil,
            delayMaximumNanoseconds: maximum, traffic: traffic,
            wireKbps: rate(traffic.linkBytes, seconds))
    }

    /// Rate in kbit/s over the window, or over the given time if there is no window.
    private func rate(_ bytes: Int, _ seconds: Double?) -> Double? {
        guard let seconds = window?.seconds ?? seconds, seconds > 0 else { return nil }
        return Double(bytes) * 8 / 1000 / seconds
    }

    private func mean(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
}
