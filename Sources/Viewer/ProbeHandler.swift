import Glibc
import HTTPWire
import Media
import NIOCore
import NIOSSL
import RTMP
import SimulationKernel
import Sockets

/// A probe's connection over RTMP or HTTP-FLV. The handler wakes at once and times every frame.
final class ProbeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case rtmp
        case http(HTTPURL)
        case closed
    }

    private let spec: ViewerSpec
    private let endpoint: ViewerEndpoint
    private let onDelay: (Int64) -> Void
    private(set) var itinerary: HTTPItinerary
    private var response = MediaResponse()
    /// Called if the server redirects the probe; this handler is not used afterwards.
    var onRedirect: ((HTTPURL) -> Void)?
    private var random = SystemRandomNumberGenerator()
    private var phase = Phase.closed
    private var connection: RTMPClientConnection?
    private var tags = FLVReader()
    private var context: ChannelHandlerContext?
    private(set) var account: ProbeAccount
    private(set) var isPlaying = false
    /// Handler of the link, in front of this handler; nil without a link.
    var link: ProbeLinkHandler?
    /// Recorder of a probe that records.
    var recorder: StreamRecorder?

    init(
        _ spec: ViewerSpec, _ endpoint: ViewerEndpoint, _ itinerary: HTTPItinerary,
        account: ProbeAccount,
        onDelay: @escaping (Int64) -> Void
    ) {
        self.spec = spec
        self.endpoint = endpoint
        self.itinerary = itinerary
        self.account = account
        self.onDelay = onDelay
    }

    func connected(localPort: Int) { account.localPort = localPort }
    func crossBoundaries(_ now: Int64) { account.crossBoundaries(now) }
    func setWindow(_ window: Window) { account.window = window }
    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        switch endpoint {
        case .rtmp(let url):
            let connection = RTMPClientConnection(
                url: url,
                purpose: .play(bufferMilliseconds: UInt32(spec.playoutBufferMilliseconds)),
                mode: .complex, agent: ViewerSpec.probeAgent, using: &random)
            self.connection = connection
            phase = .rtmp
            context.writeAndFlush(wrapOutboundOut(connection.opening), promise: nil)
        case .http(let url):
            phase = .http(url)
            let request = ByteBuffer(
                bytes: itinerary.request(url, agent: ViewerSpec.probeAgent))
            context.writeAndFlush(wrapOutboundOut(request), promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .closed = phase { return }
        fail("the server closed the connection")
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case NIOSSLError.uncleanShutdown = error { return }
        if error is NIOSSLError || error is NIOSSLExtraError {
            return fail(TLSError.explanation(error))
        }
        let isReset = (error as? IOError)?.errnoCode == ECONNRESET
        fail(isReset ? "the server closed the connection (reset)" : "\(error)")
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let now = Int64(NIODeadline.now().uptimeNanoseconds)
        let bytes = unwrapInboundIn(data)
        account.receive(bytes: bytes.readableBytes, now: now)
        do {
            switch phase {
            case .rtmp:
                try connection?.append(bytes, using: &random)
                while let event = try connection?.next() { try perform(event, now) }
            case .http(let url): try receiveResponse(bytes, url, now)
            case .closed: break
            }
        } catch {
            fail("\(error)")
        }
    }

    private func perform(_ event: RTMPClientConnection.Event, _ now: Int64) throws {
        switch event {
        case .write(let bytes): write(bytes)
        case .started: isPlaying = true
        case .media(let message):
            for part in message.type == .aggregate ? try message.split() : [message]
            where part.type == .video || part.type == .audio {
                media(part.type == .video, part.timestamp, part.payload, now)
            }
        case .refused(let code, let description): fail("refused: \(code) \(description)")
        case .ended(let code): fail("the stream ended: \(code)")
        }
    }

    private func receiveResponse(_ bytes: ByteBuffer, _ url: HTTPURL, _ now: Int64) throws {
        var media = ByteBuffer()
        let outcome = try bytes.withUnsafeReadableBytes { bytes in
            try response.take(bytes) { media.writeBytes($0) }
        }
        switch outcome {
        case .goesOn:
            isPlaying = response.head != nil
            try receiveTags(media, now)
        case .redirected(let head):
            let target = try itinerary.follow(head, from: url)
            phase = .closed
            context?.close(promise: nil)
            onRedirect?(target)
        }
    }

    private func receiveTags(_ bytes: ByteBuffer, _ now: Int64) throws {
        tags.append(bytes)
        while let tag = try tags.next() {
            // Empty and encrypted tags are not media, as for the load viewers and the file source.
            guard tag.type != .script, !tag.isFiltered, tag.payload.readableBytes > 0 else {
                continue
            }
            media(tag.type == .video, tag.timestamp, tag.payload, now)
        }
    }

    private func media(_ isVideo: Bool, _ timestamp: UInt32, _ payload: ByteBuffer, _ now: Int64) {
        if let delay = account.receive(
            isVideo: isVideo, timestamp: timestamp, payload: payload, now: now)
        {
            onDelay(delay)
        }
        guard isVideo, let recorder else { return }
        if let reason = recorder.take(timestamp: timestamp, payload: payload) {
            fail(reason)
        } else if recorder.isDone {
            leave()
        }
    }

    private func leave() {
        account.end(now: Int64(NIODeadline.now().uptimeNanoseconds))
        isPlaying = false
        phase = .closed
        recorder = nil
        context?.close(promise: nil)
    }

    private func write(_ bytes: ByteBuffer) {
        context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    private func fail(_ reason: String) {
        account.fail(reason, now: Int64(NIODeadline.now().uptimeNanoseconds))
        isPlaying = false
        phase = .closed
        context?.close(promise: nil)
    }

    /// Ends without counting as a failure. `leaves` is true if other probes continue.
    func finish(leaves: Bool) -> ProbeViewerReport {
        if leaves { account.end(now: Int64(NIODeadline.now().uptimeNanoseconds)) }
        phase = .closed
        isPlaying = false
        recorder = nil
        context?.close(promise: nil)
        var report = account.finish(now: Int64(NIODeadline.now().uptimeNanoseconds))
        report.modelledStalls = link?.stalls
        report.modelledStallNanoseconds = link?.stalledNanoseconds
        return report
    }
}
