import NIOCore
import RTMP
import SimulationKernel
import Statistics

/// The streams and connections of a sink. They are bound to one event loop.
final class SinkLoop {
    /// Answer to a connection that asks to publish.
    enum Answer {
        case taken(PushedStream)
        case refused(String)
    }

    /// Time between two ticks of a sink with slow connections, and of any other sink.
    private static let pacedTickNanoseconds: Int64 = 5_000_000
    private static let tickNanoseconds: Int64 = 10_000_000
    /// Largest number of reasons of refusals that are told apart.
    private static let reasonLimit = 20

    private let options: SinkOptions
    private let eventLoop: any EventLoop
    private let period: Int64
    private let expected: [String: SinkSpec]
    private var streams: [String: PushedStream] = [:]
    private var connections: [ObjectIdentifier: SinkHandler] = [:]
    private var window: Window?
    private var lag = DelayHistogram()
    private var windowLag = DelayHistogram()
    private var delay: [String: DelayHistogram] = [:]
    private var refused: [String: Int] = [:]
    private var leftOutMessages = 0
    private var unfinishedBytes = 0
    private var isStopped = false
    private var expectedTick: Int64 = 0

    /// - Parameter specs: The streams that the sink expects. Of several with one name, the first
    ///   counts.
    init(_ specs: [SinkSpec], _ options: SinkOptions, eventLoop: any EventLoop) {
        self.options = options
        self.eventLoop = eventLoop
        expected = Dictionary(specs.map { ($0.name, $0) }, uniquingKeysWith: { a, _ in a })
        let isPaced = options.readRate != nil || specs.contains { $0.readRate != nil }
        period = isPaced ? Self.pacedTickNanoseconds : Self.tickNanoseconds
        expectedTick = Self.now
    }

    /// The present time on CLOCK_MONOTONIC, in nanoseconds.
    static var now: Int64 { Int64(clamping: NIODeadline.now().uptimeNanoseconds) }

    /// Measures the loop's lag, serves slow connections, and closes those that publish nothing.
    func tick() {
        guard !isStopped else { return }
        let now = Self.now
        let late = max(0, now - expectedTick)
        lag.record(nanoseconds: late)
        if window?.contains(expectedTick) ?? false { windowLag.record(nanoseconds: late) }
        for handler in Array(connections.values) {
            handler.advance(at: now)
            guard let since = handler.idleSince,
                (now - since) / 1_000_000 > Int64(options.setupMilliseconds)
            else { continue }
            refuse("the connection published nothing in time")
            handler.close("it published nothing in time")
        }
        expectedTick += ((now - expectedTick) / period + 1) * period
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(deadline: .uptimeNanoseconds(UInt64(expectedTick))) {
            bound.value.tick()
        }
    }

    // MARK: Connections

    /// Makes the handler of an accepted connection.
    ///
    /// - Throws: `ChannelError` if the sink has no room for it; this closes the connection.
    func makeHandler() throws -> SinkHandler {
        guard !isStopped else { throw ChannelError.eof }
        guard connections.count < options.connectionLimit else {
            refuse("more than \(options.connectionLimit) connections")
            throw ChannelError.eof
        }
        let handler = SinkHandler(self)
        connections[ObjectIdentifier(handler)] = handler
        return handler
    }

    func remove(_ handler: SinkHandler) {
        connections.removeValue(forKey: ObjectIdentifier(handler))
    }

    /// Accepts or refuses a stream.
    func take(_ name: String, by handler: SinkHandler, at now: Int64) -> Answer {
        guard !isStopped else { return .refused("the sink has ended") }
        let stream: PushedStream
        if let known = streams[name] {
            known.session?.replace()
            stream = known
        } else {
            guard streams.count < options.streamLimit else {
                return refusal("more than \(options.streamLimit) streams")
            }
            guard let spec = expected[name] ?? newSpec(name) else {
                return refusal("the sink expects no such stream")
            }
            stream = PushedStream(spec, now: now)
            stream.account.window = window
            streams[name] = stream
        }
        stream.begin(handler)
        return .taken(stream)
    }

    /// Returns the specification of a stream that none names; nil if such streams are not taken.
    private func newSpec(_ name: String) -> SinkSpec? {
        guard options.takesAny else { return nil }
        return SinkSpec(
            index: streams.count, name: name, stream: name, rendition: "",
            readRate: options.readRate)
    }

    private func refusal(_ why: String) -> Answer {
        refuse(why)
        return .refused(why)
    }

    /// Counts a refusal.
    func refuse(_ why: String) {
        let isKnown = refused[why] != nil || refused.count < Self.reasonLimit
        refused[isKnown ? why : "another reason", default: 0] += 1
    }

    /// Counts the bytes of a connection's unfinished messages. Returns false if all connections
    /// together hold too much.
    func hold(_ bytes: Int, before: Int) -> Bool {
        unfinishedBytes += bytes - before
        return bytes <= before || unfinishedBytes <= options.unfinishedByteLimit
    }

    /// Counts a media message that belongs to no accepted stream.
    func leaveOut() { leftOutMessages += 1 }

    /// Counts one audio or video message.
    func count(_ message: Message, of stream: PushedStream, arrival: Int64) {
        let measured = stream.account.receive(
            isVideo: message.type == .video, timestamp: message.timestamp,
            payload: message.payload, now: arrival)
        if let measured { delay[stream.delayKey, default: .init()].record(nanoseconds: measured) }
    }

    // MARK: Reports

    func setWindow(_ window: Window) {
        self.window = window
        for stream in streams.values { stream.account.window = window }
    }

    /// Returns what happened since the last call.
    func interval() -> SinkReport {
        let now = Self.now
        for stream in streams.values { stream.account.crossBoundaries(now) }
        defer {
            lag = .init()
            delay = [:]
        }
        return report
    }

    private var report: SinkReport {
        let all = streams.values
        let playing = all.count { $0.session != nil }
        let failed = all.count { $0.isCutOff }
        var report = SinkReport(
            probes: ProbeReport(
                playing: playing, failed: failed, lag: lag, windowLag: windowLag, delay: delay,
                viewers: []))
        report.connections = connections.count
        report.streams = streams.count
        report.reconnects = all.reduce(0) { $0 + $1.counts.reconnects }
        report.payloadBytes = all.reduce(0) { $0 + $1.account.payloadBytes }
        report.leftOutMessages = leftOutMessages
        report.refused = refused
        return report
    }

    /// Ends every account and closes every connection.
    func stop() -> SinkReport {
        let now = Self.now
        var report = report
        isStopped = true
        let ordered = streams.sorted {
            ($0.value.spec.index, $0.key) < ($1.value.spec.index, $1.key)
        }
        for (name, stream) in ordered {
            report.names.append(name)
            report.probes.viewers.append(stream.finish(now: now))
        }
        for handler in Array(connections.values) { handler.close("the sink has ended") }
        streams = [:]
        return report
    }
}
