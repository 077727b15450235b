import NIOCore
import Netem

/// Puts a probe behind a link: bytes are passed on when they come due, and requests are held for
/// the delay.
///
/// The handler reads only while few bytes wait, so that the server notices the slow reader.
final class ProbeLinkHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Number of waiting bytes above which nothing is read.
    private static let backlogLimit = 16_384
    static let tickNanoseconds: Int64 = 2_000_000

    private let shared: SocketLink.Shared
    private let place: LinkAssignment
    private let origin: Int64
    private var link: SocketLink?
    private var backlog = ByteBuffer()
    private var incoming = DelayedBytes()
    private var outgoing = DelayedBytes()
    private var hasSent = false
    private var isReading = false
    private var isOpen = true
    private var expectedTick: Int64 = 0

    init(_ shared: SocketLink.Shared, _ place: LinkAssignment, origin: Int64) {
        self.shared = shared
        self.place = place
        self.origin = origin
    }

    var stalls: Int { link?.stalls ?? 0 }
    var stalledNanoseconds: Int64 { link?.stalledNanoseconds ?? 0 }

    private var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }

    func channelActive(context: ChannelHandlerContext) {
        let now = now
        do {
            link = try SocketLink(
                shared, place, origin: origin, now: now, credit: Self.tickNanoseconds)
        } catch {
            context.fireErrorCaught(error)
        }
        expectedTick = now + Self.tickNanoseconds
        schedule(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        isOpen = false
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { isOpen = false }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = false
        backlog.writeImmutableBuffer(unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Bytes that are due are passed on at the next tick.
        isReading = false
    }

    /// Ignores the probe's own reads, because this handler alone decides when to read.
    func read(context: ChannelHandlerContext) {}

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let now = now
        let delay = link?.delay(at: now) ?? 0
        guard delay > 0 else { return context.write(data, promise: promise) }
        // The first bytes also wait for the round trip of the TCP handshake.
        let way = hasSent ? delay : 3 * delay
        hasSent = true
        outgoing.append(Array(buffer: unwrapOutboundIn(data)), at: now + way)
        promise?.succeed()
    }

    private func schedule(_ context: ChannelHandlerContext) {
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        let handler = NIOLoopBound(self, eventLoop: context.value.eventLoop)
        context.value.eventLoop.scheduleTask(
            deadline: .uptimeNanoseconds(UInt64(expectedTick))
        ) { handler.value.tick(context.value) }
    }

    private func tick(_ context: ChannelHandlerContext) {
        guard isOpen else { return }
        let now = now
        expectedTick += ((now - expectedTick) / Self.tickNanoseconds + 1) * Self.tickNanoseconds
        var wrote = false
        while let bytes = outgoing.pop(at: now) {
            context.write(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
            wrote = true
        }
        if wrote { context.flush() }
        passOn(context, now)
        if isOpen, !isReading, backlog.readableBytes < Self.backlogLimit,
            incoming.count < SocketLink.lineLimit
        {
            isReading = true
            context.read()
        }
        schedule(context)
    }

    private func passOn(_ context: ChannelHandlerContext, _ now: Int64) {
        if let due = link?.due(at: now), due > 0 {
            let count = min(due, backlog.readableBytes)
            if count > 0, let bytes = backlog.readSlice(length: count) {
                backlog.discardReadBytes()
                let time = link?.release(count, at: now) ?? now
                if time <= now, incoming.count == 0 {
                    context.fireChannelRead(wrapInboundOut(bytes))
                } else {
                    incoming.append(Array(buffer: bytes), at: time)
                }
            }
            link?.didRead(count, of: due, at: now)
        }
        while isOpen, let bytes = incoming.pop(at: now) {
            context.fireChannelRead(wrapInboundOut(ByteBuffer(bytes: bytes)))
        }
    }
}
