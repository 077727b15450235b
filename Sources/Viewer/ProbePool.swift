// Probes have an event loop of their own, which wakes at once; the loop's lag is measured against
// absolute deadlines and reported.

import CLinux
import HTTPWire
import NIOCore
import NIOPosix
import NIOSSL
import RTMP
public import SimulationKernel
public import Sockets
import Statistics

/// The probes of a process: viewers that time frames, on an event loop of their own.
public final class ProbePool: Sendable {
    /// Largest number of frames that are kept one by one, over all probes of a pool; further frames
    /// only add to histograms.
    public static let frameLimit = 200_000

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let loop: any EventLoop
    private let state: NIOLoopBoundBox<State>

    private struct State {
        var handlers: [Int: ProbeHandler] = [:]
        var window: Window?
        var lag = DelayHistogram()
        var windowLag = DelayHistogram()
        var delay: [String: DelayHistogram] = [:]
        var failures: [ProbeViewerReport] = []
        var isStopped = false
        var expectedTick: Int64 = 0
        /// Start of the run, at which the offsets of links hold.
        var origin: Int64 = 0
    }

    private let specs: [ViewerSpec]
    private let congestionControl: String?
    private let links: [SocketLink.Shared]
    private let framesEach: Int
    private let trust: TLSTrust

    /// - Parameters:
    ///   - links: links that the specifications name by index.
    ///   - trust: authorities that https and rtmps trust.
    /// - Throws: an error if a URL, a link or a file of authorities is wrong.
    public init(
        _ specs: [ViewerSpec], congestionControl: String?, links: [ViewerLink] = [],
        trust: TLSTrust = TLSTrust()
    ) throws {
        self.trust = trust
        if trust != TLSTrust() { _ = try trust.context() }
        for spec in specs {
            _ = try ViewerEndpoint(spec)
            if let local = spec.localAddress { _ = try SocketAddress(ipAddress: local, port: 0) }
            if let place = spec.link, !links.indices.contains(place.link) {
                throw ViewerError(description: "viewer \(spec.index) names no link of the pool")
            }
        }
        self.links = links.map { SocketLink.Shared($0) }
        self.specs = specs
        self.congestionControl = congestionControl
        framesEach = Self.frameLimit / max(1, specs.count)
        loop = group.next()
        state = NIOLoopBoundBox.makeBoxSendingValue(State(), eventLoop: loop)
    }

    /// Starts the probes. Join times count from `startNanoseconds` (CLOCK_MONOTONIC).
    public func start(atNanoseconds startNanoseconds: Int64, window: Window?) {
        loop.execute { [self] in
            if let window { state.value.window = window }
            state.value.origin = startNanoseconds
            for spec in specs {
                let time = startNanoseconds + spec.joinNanoseconds
                loop.scheduleTask(deadline: .uptimeNanoseconds(UInt64(max(0, time)))) {
                    self.join(spec)
                }
                if let leave = spec.leaveNanoseconds {
                    let time = startNanoseconds + leave
                    loop.scheduleTask(deadline: .uptimeNanoseconds(UInt64(max(0, time)))) {
                        self.leave(spec)
                    }
                }
            }
            state.value.expectedTick = Int64(NIODeadline.now().uptimeNanoseconds)
            tick()
        }
    }

    /// Measures the loop's own lag against absolute deadlines every 10 ms.
    private func tick() {
        guard !state.value.isStopped else { return }
        let now = Int64(NIODeadline.now().uptimeNanoseconds)
        let late = max(0, now - state.value.expectedTick)
        state.value.lag.record(nanoseconds: late)
        if state.value.window?.contains(state.value.expectedTick) ?? false {
            state.value.windowLag.record(nanoseconds: late)
        }
        let period: Int64 = 10_000_000
        state.value.expectedTick += ((now - state.value.expectedTick) / period + 1) * period
        let next = NIODeadline.uptimeNanoseconds(UInt64(state.value.expectedTick))
        loop.scheduleTask(deadline: next) { self.tick() }
    }

    private func join(_ spec: ViewerSpec) {
        guard !state.value.isStopped, let endpoint = try? ViewerEndpoint(spec) else { return }
        let askedAt = Int64(NIODeadline.now().uptimeNanoseconds)
        connect(spec, endpoint, HTTPItinerary(), askedAt: askedAt)
    }

    /// Follows a redirect of a probe: a new connection continues the probe's account.
    private func follow(_ spec: ViewerSpec, _ handler: ProbeHandler, to url: HTTPURL) {
        // A probe that has left meanwhile has its report already.
        guard !state.value.isStopped, state.value.handlers[spec.index] === handler else { return }
        connect(
            spec, .http(url), handler.itinerary, askedAt: handler.account.askedAt)
    }

    private func connect(
        _ spec: ViewerSpec, _ endpoint: ViewerEndpoint, _ itinerary: HTTPItinerary,
        askedAt: Int64
    ) {
        let key = spec.delayKey
        let congestionControl = congestionControl
        var bootstrap = ClientBootstrap(group: loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
        if spec.link != nil {
            bootstrap =
                bootstrap
                .channelOption(
                    .tcpOption(.init(rawValue: millrace_TCP_MAXSEG)),
                    value: SocketConnector.segmentSize
                )
                .channelOption(
                    .socketOption(.so_rcvbuf), value: SocketConnector.shapedBuffer
                )
                .channelOption(.autoRead, value: false)
        }
        if let local = spec.localAddress,
            let address = try? SocketAddress(ipAddress: local, port: 0)
        {
            bootstrap = bootstrap.bind(to: address)
        }
        bootstrap
            .connectTimeout(.seconds(10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { [self] in
                    let account = ProbeAccount(
                        spec, askedAt: askedAt, frameLimit: framesEach)
                    let handler = ProbeHandler(spec, endpoint, itinerary, account: account) {
                        self.state.value.delay[key, default: .init()].record(nanoseconds: $0)
                    }
                    handler.onRedirect = { [weak handler] url in
                        if let handler { self.follow(spec, handler, to: url) }
                    }
                    if let window = state.value.window { handler.setWindow(window) }
                    if let recording = spec.recording {
                        handler.recorder = try StreamRecorder(
                            recording, origin: state.value.origin)
                    }
                    var tls: NIOSSLClientHandler?
                    if endpoint.isSecure {
                        tls = try TLSTrust.handler(trust.context(), host: endpoint.host)
                    }
                    if let place = spec.link {
                        let link = ProbeLinkHandler(
                            links[place.link], place, origin: state.value.origin)
                        try channel.pipeline.syncOperations.addHandler(link)
                        handler.link = link
                    }
                    if let tls { try channel.pipeline.syncOperations.addHandler(tls) }
                    try channel.pipeline.syncOperations.addHandler(handler)
                    state.value.handlers[spec.index] = handler
                }.flatMap {
                    congestionControl.map { CongestionControl($0).apply(to: channel) }
                        ?? channel.eventLoop.makeSucceededVoidFuture()
                }
            }
            .connect(host: endpoint.host, port: endpoint.port)
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    self.state.value.handlers[spec.index]?.connected(
                        localPort: channel.localAddress?.port ?? 0)
                case .failure(let error):
                    var account = ProbeAccount(spec, askedAt: askedAt, frameLimit: 0)
                    account.fail(
                        "cannot connect: \(connectFailure(error))",
                        now: Int64(NIODeadline.now().uptimeNanoseconds))
                    self.state.value.handlers.removeValue(forKey: spec.index)
                    self.state.value.failures.append(account.finish(now: askedAt))
                }
            }
    }

    private func leave(_ spec: ViewerSpec) {
        guard let handler = state.value.handlers.removeValue(forKey: spec.index) else { return }
        state.value.failures.append(handler.finish(leaves: true))
    }

    public func setWindow(_ window: Window) {
        loop.execute { [self] in
            state.value.window = window
            for handler in state.value.handlers.values { handler.setWindow(window) }
        }
    }

    /// Returns what happened since the last call.
    public func interval() async throws -> ProbeReport {
        try await loop.submit { [self] in
            let now = Int64(NIODeadline.now().uptimeNanoseconds)
            for handler in state.value.handlers.values { handler.crossBoundaries(now) }
            defer {
                state.value.lag = .init()
                state.value.delay = [:]
            }
            return summary()
        }.get()
    }

    private func summary() -> ProbeReport {
        ProbeReport(
            playing: state.value.handlers.values.count { $0.isPlaying },
            failed: state.value.failures.count { $0.failure != nil }
                + state.value.handlers.values.count { $0.account.report.failure != nil },
            lag: state.value.lag, windowLag: state.value.windowLag, delay: state.value.delay,
            viewers: [])
    }

    /// Closes every probe and returns the final report.
    public func stop() async throws -> ProbeReport {
        let report = try await loop.submit { [self] in
            var report = summary()
            state.value.isStopped = true
            report.viewers = state.value.failures
            for handler in state.value.handlers.values {
                report.viewers.append(handler.finish(leaves: false))
            }
            // Handlers and pool refer to each other; without this line neither would be released.
            state.value.handlers.removeAll()
            report.viewers.sort { $0.index < $1.index }
            return report
        }.get()
        try await group.shutdownGracefully()
        return report
    }
}
