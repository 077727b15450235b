import FoundationEssentials
import HTTPWire
import NIOCore
import NIOPosix
import NIOSSL
import Sockets
import Synchronization

/// Subject of a call-back.
struct CallBack: Encodable, Sendable {
    enum Event: String, Encodable, Sendable {
        case connect, publish, play, end
    }

    var event: Event
    /// Protocol: `rtmp`, `http-flv` or `hls`.
    var `protocol`: String
    var application: String
    /// Stream; empty for `connect`.
    var stream = ""
    /// Query as the peer sent it; it contains keys.
    var query = ""
    /// The peer's `address:port`, by which a connection can be kicked.
    var connection: String
    /// The action that has ended; only for `end`.
    var ended: String?
}

/// Asks a URL whether a peer may continue, with one POST of JSON for each question. A status of 2xx
/// lets the peer continue.
///
/// Any other outcome refuses, a time-out and a full queue included.
final class CallBacks: Sendable {
    /// Reason why a peer is refused, for the log; nil = it is accepted.
    typealias Refusal = String?

    static let concurrency = 16
    static let queueLimit = 1024
    /// Seconds for which further HLS requests of the same viewer cause no question.
    static let hlsSeconds: Int64 = 30
    private static let viewerLimit = 10_000

    private struct Job: Sendable {
        var body: [UInt8]
        var deadline: NIODeadline
        var promise: EventLoopPromise<Refusal>
    }

    private struct State {
        var running = 0
        var waiting = CircularBuffer<Job>()
        /// Time until which an HLS viewer is known.
        var viewers: [String: NIODeadline] = [:]
    }

    private let url: HTTPURL
    private let timeout: TimeAmount
    private let tls: NIOSSLContext?
    private let group: any EventLoopGroup
    private let admissions: Admissions
    private let state = Mutex(State())

    init(
        _ url: String, timeout: TimeAmount, trust: TLSTrust, group: any EventLoopGroup,
        admissions: Admissions
    ) throws {
        self.url = try HTTPURL(url)
        self.timeout = timeout
        self.group = group
        self.admissions = admissions
        tls = self.url.isSecure ? try trust.context() : nil
    }

    /// Asks the service; the result comes within the time-out.
    func ask(_ call: CallBack) -> EventLoopFuture<Refusal> {
        let loop = group.any()
        let promise = loop.makePromise(of: Refusal.self)
        guard let body = try? JSONEncoder().encode(call) else {
            promise.succeed("the call-back cannot be written")
            return promise.futureResult
        }
        let job = Job(body: Array(body), deadline: .now() + timeout, promise: promise)
        let begins: Bool? = state.withLock { state in
            if state.running < Self.concurrency {
                state.running += 1
                return true
            }
            guard state.waiting.count < Self.queueLimit else { return nil }
            state.waiting.append(job)
            return false
        }
        switch begins {
        case true?: begin(job)
        case false?: break
        case nil: promise.succeed("\(Self.queueLimit) call-backs wait already")
        }
        let milliseconds = timeout.nanoseconds / 1_000_000
        let alarm = loop.scheduleTask(deadline: job.deadline) {
            promise.succeed("the call-back has not answered within \(milliseconds) ms")
        }
        promise.futureResult.whenComplete { [admissions] result in
            alarm.cancel()
            if case .success(nil) = result { return }
            admissions.refuse(.callBacks)
        }
        return promise.futureResult
    }

    /// Notifies the service without waiting for an answer.
    func tell(_ call: CallBack) { _ = ask(call) }

    /// Asks about an HLS viewer, who makes many requests: at most once in `hlsSeconds`.
    func askOnce(_ viewer: String, _ call: CallBack) -> EventLoopFuture<Refusal>? {
        let now = NIODeadline.now()
        let isKnown = state.withLock { ($0.viewers[viewer] ?? .distantPast) > now }
        guard !isKnown else { return nil }
        let answer = ask(call)
        answer.whenSuccess { [weak self] refusal in
            guard let self, refusal == nil else { return }
            state.withLock { state in
                if state.viewers.count >= Self.viewerLimit {
                    state.viewers = state.viewers.filter { $0.value > now }
                    if state.viewers.count >= Self.viewerLimit { state.viewers.removeAll() }
                }
                state.viewers[viewer] = now + .seconds(Self.hlsSeconds)
            }
        }
        return answer
    }

    /// Waits until all notifications have been sent, at most for the time-out.
    func drain() async {
        let end = NIODeadline.now() + timeout
        while state.withLock({ $0.running + $0.waiting.count }) > 0, .now() < end {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    private func next() {
        let job = state.withLock { state -> Job? in
            let now = NIODeadline.now()
            // A question that has timed out has its answer already.
            while let job = state.waiting.popFirst() {
                if job.deadline > now { return job }
            }
            state.running -= 1
            return nil
        }
        if let job { begin(job) }
    }

    private func begin(_ job: Job) {
        let (url, tls) = (url, tls)
        let left = job.deadline - .now()
        ClientBootstrap(group: job.promise.futureResult.eventLoop)
            .connectTimeout(max(.milliseconds(1), left))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    channel.setCloseOnExec()
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            TLSTrust.handler(tls, host: url.host))
                    }
                    try channel.pipeline.syncOperations.addHandler(Answer(job.promise))
                }
            }
            .connect(host: url.host, port: url.port)
            .whenComplete { [self] result in
                switch result {
                case .success(let channel):
                    let alarm = channel.eventLoop.scheduleTask(deadline: job.deadline) {
                        channel.close(promise: nil)
                    }
                    channel.closeFuture.whenComplete { [self] _ in
                        alarm.cancel()
                        next()
                    }
                    channel.writeAndFlush(ByteBuffer(bytes: request(job.body)), promise: nil)
                case .failure(let error):
                    job.promise.succeed("the call-back cannot be reached: \(connectFailure(error))")
                    next()
                }
            }
    }

    private func request(_ body: [UInt8]) -> [UInt8] {
        let head =
            "POST \(url.target) HTTP/1.1\r\nHost: \(url.authority)\r\nUser-Agent: millrace\r\n"
            + "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n"
            + "Connection: close\r\n\r\n"
        return Array(head.utf8) + body
    }

    /// Reads the head of one response.
    private final class Answer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let promise: EventLoopPromise<Refusal>
        private var reader = HTTPResponseReader()

        init(_ promise: EventLoopPromise<Refusal>) { self.promise = promise }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            do {
                try unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
                    try reader.receive(bytes) { event in
                        guard case .head(let head) = event else { return }
                        promise.succeed(
                            head.isSuccess ? nil : "the call-back answered \(head.statusText)")
                        context.close(promise: nil)
                    }
                }
            } catch {
                promise.succeed("the call-back's answer cannot be read: \(error)")
                context.close(promise: nil)
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            promise.succeed("the call-back: \(TLSError.explanation(error))")
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            promise.succeed("the call-back closed the connection without an answer")
        }
    }
}
