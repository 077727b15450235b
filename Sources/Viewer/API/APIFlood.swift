// Requests to the API of the embedded stack at a steady rate, as a careless dashboard sends them.
// The schedule is open: a server that answers slowly is asked all the same, up to a number of
// requests at a time. Each request has a connection of its own, because the API closes the
// connection after each answer.

import NIOCore
import NIOPosix
public import SimulationKernel

/// What a flood asks for.
public struct APIFloodSpec: Codable, Sendable, Hashable {
    /// IP address and port of the API.
    public var host = "127.0.0.1"
    public var port: Int
    /// Bearer token of each request. A server looks at it if the request comes from elsewhere.
    public var token: String
    /// Number of requests in a second, more than 0.
    public var requestsPerSecond: Double

    public init(port: Int, token: String, requestsPerSecond: Double) {
        self.port = port
        self.token = token
        self.requestsPerSecond = requestsPerSecond
    }
}

/// A client that floods an API in the steady window.
public final class APIFlood: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let loop: any EventLoop
    private let state: NIOLoopBound<APIFloodLoop>

    /// - Throws: An error for a host that is no IP address.
    public init(_ spec: APIFloodSpec) async throws {
        let address = try SocketAddress(ipAddress: spec.host, port: spec.port)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        self.group = group
        self.loop = loop
        state = try await loop.submit {
            NIOLoopBound(APIFloodLoop(spec, address, eventLoop: loop), eventLoop: loop)
        }.get()
    }

    /// Asks from the beginning of a window on CLOCK_MONOTONIC to its end. A later call only moves
    /// the end.
    public func setWindow(_ window: Window) {
        loop.execute { self.state.value.setWindow(window) }
    }

    /// Returns what happened since the start.
    public func report() async throws -> APIFloodReport {
        try await loop.submit { self.state.value.report }.get()
    }

    /// Sends no further request, closes every connection and returns the final report.
    public func stop() async throws -> APIFloodReport {
        let report = try await loop.submit { self.state.value.stop() }.get()
        try await group.shutdownGracefully()
        return report
    }
}

/// The requests of a flood. They are bound to one event loop.
final class APIFloodLoop {
    /// Largest number of requests that wait for their answers.
    private static let pendingLimit = 512
    private static let tickNanoseconds: Int64 = 5_000_000

    private let spec: APIFloodSpec
    private let address: SocketAddress
    private let eventLoop: any EventLoop
    private var window: Window?
    /// Requests that were due until now, sent or not.
    private var due = 0
    /// Times at which the requests without an answer were sent, by their numbers.
    private var pending: [Int: Int64] = [:]
    private var isStopped = false
    private(set) var report = APIFloodReport()

    init(_ spec: APIFloodSpec, _ address: SocketAddress, eventLoop: any EventLoop) {
        self.spec = spec
        self.address = address
        self.eventLoop = eventLoop
    }

    private static var now: Int64 { Int64(clamping: NIODeadline.now().uptimeNanoseconds) }

    func setWindow(_ new: Window) {
        guard let known = window else {
            window = new
            return schedule(at: new.startNanoseconds)
        }
        window = Window(
            startNanoseconds: known.startNanoseconds, endNanoseconds: new.endNanoseconds)
    }

    private func schedule(at time: Int64) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(deadline: .uptimeNanoseconds(UInt64(max(0, time)))) {
            bound.value.tick()
        }
    }

    /// Sends the requests that are due.
    private func tick() {
        guard !isStopped, let window else { return }
        let now = Self.now
        let seconds = max(0, window.ended(byNanoseconds: now).seconds)
        let planned = Int(min(seconds * spec.requestsPerSecond, 1e12))
        while due < planned {
            send(due)
            due += 1
        }
        if now < window.endNanoseconds { schedule(at: now + Self.tickNanoseconds) }
    }

    private func send(_ number: Int) {
        guard pending.count < Self.pendingLimit else {
            report.skipped += 1
            return
        }
        report.requests += 1
        pending[number] = Self.now
        let request = APIFloodRequest.bytes(number, spec)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(5))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = APIFloodHandler(request) { bound.value.end(number, status: $0) }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(to: address)
            .whenFailure { _ in bound.value.end(number, status: nil) }
    }

    /// Notes the end of a request; a second end of one request changes nothing.
    private func end(_ number: Int, status: Int?) {
        guard let begin = pending.removeValue(forKey: number), !isStopped else { return }
        guard let status else {
            report.unanswered += 1
            return
        }
        report.time.record(nanoseconds: Self.now - begin)
        if (200..<300).contains(status) { report.accepted += 1 } else { report.refused += 1 }
    }

    func stop() -> APIFloodReport {
        isStopped = true
        report.unanswered += pending.count
        pending = [:]
        return report
    }
}

/// One request and its answer, which ends with the connection.
private final class APIFloodHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: ByteBuffer
    private let onEnd: (_ status: Int?) -> Void
    /// First bytes of the answer, such as "HTTP/1.1 200".
    private var head: [UInt8] = []
    private var deadline: Scheduled<Void>?

    init(_ request: ByteBuffer, onEnd: @escaping (_ status: Int?) -> Void) {
        self.request = request
        self.onEnd = onEnd
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: .seconds(5)) {
            channel.close(promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard head.count < 12 else { return }
        head += unwrapInboundIn(data).readableBytesView.prefix(12 - head.count)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        deadline = nil
        onEnd(head.count == 12 ? Int(String(decoding: head[9...], as: UTF8.self)) : nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
