import NIOCore
import NIOSSL
import RTMP
import Sockets

/// The channel of one connection to a target: handshake and session, then the end. Media goes past
/// it, from a `Subscriber` through the outlet.
final class PushHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let session: PushSession
    private var random = SystemRandomNumberGenerator()
    private var connection: RTMPClientConnection
    private(set) var outlet: Outlet?
    private var isClosing = false
    private var reason = "the target closed the connection"

    init(_ session: PushSession, chunkSize: Int) {
        self.session = session
        connection = RTMPClientConnection(
            url: session.target, purpose: .publish, mode: .complex, chunkSize: chunkSize,
            using: &random)
    }

    func channelActive(context: ChannelHandlerContext) {
        let outlet = Outlet(context)
        self.outlet = outlet
        // If the session does not want the connection, it is cut, and nothing is written.
        session.connected(
            self, remote: context.remoteAddress, local: context.localAddress)
        outlet.write(connection.opening)
        outlet.flush()
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        outlet?.invalidate()
        // The session asks the outlet for the number of its bytes.
        session.disconnected(self, reason)
        outlet = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case NIOSSLError.uncleanShutdown = error { return }
        let isSecure = error is NIOSSLError || error is NIOSSLExtraError
        cut(
            isSecure
                ? TLSError.explanation(error, authorityOption: "--push-ca", mayGiveUp: false)
                : connectFailure(error))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Nothing after the end of the connection matters.
        guard !isClosing else { return }
        do {
            try connection.append(unwrapInboundIn(data), using: &random)
            while !isClosing, let event = try connection.next() { perform(event) }
        } catch {
            cut("\(error)")
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        context.fireChannelReadComplete()
    }

    private func perform(_ event: RTMPClientConnection.Event) {
        switch event {
        case .write(let bytes):
            if outlet?.writeReply(bytes) == false { cut("the target reads no replies") }
        case .started(let id): session.accepted(self, messageStreamID: id)
        // A target sends no media.
        case .media: break
        case .refused(let code, let description):
            cut("the target refused the stream (\(code): \(description))")
        case .ended(let code): cut("the target ended the stream (\(code))")
        }
    }

    /// Closes the connection at once.
    func cut(_ reason: String) {
        guard !isClosing else { return }
        isClosing = true
        self.reason = reason
        outlet?.cut()
    }

    /// Ends the publication in order (FCUnpublish, deleteStream), and closes the connection when
    /// everything is sent, at the latest after a second.
    func finish() {
        guard !isClosing else { return }
        isClosing = true
        if let goodbye = try? connection.close() { outlet?.write(goodbye) }
        outlet?.close()
    }
}
