import Media
import NIOCore
import Sockets
import Testing

@testable import Viewer

/// HTTP-FLV viewers of a server that sends them elsewhere, asks for its cookie back, and sends chunks
/// (cases 18, 19 and 27 of the field).
@Suite(.timeLimit(.minutes(1))) struct RedirectTests {
    /// Answers 302 for `/live/`, and what is behind it only to those who bring the cookie.
    private final class Server: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private var head = ""

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            head += String(buffer: unwrapInboundIn(data))
            guard head.contains("\r\n\r\n") else { return }
            var reply = ByteBuffer()
            if head.hasPrefix("GET /live/") {
                reply.writeString(
                    "HTTP/1.1 302 Found\r\nSet-Cookie: sid=abc; Path=/\r\n"
                        + "Location: /edge/cam.flv?sid=1\r\nContent-Length: 0\r\n\r\n")
            } else if head.hasPrefix("GET /edge/cam.flv?sid=1 "), head.contains("Cookie: sid=abc") {
                reply.writeString("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for byte in RedirectTests.flv.readableBytesView {
                    reply.writeString("1;x=y\r\n")
                    reply.writeInteger(byte)
                    reply.writeString("\r\n")
                }
            } else {
                reply.writeString("HTTP/1.1 403 No cookie\r\nContent-Length: 0\r\n\r\n")
            }
            context.writeAndFlush(wrapOutboundOut(reply), promise: nil)
        }
    }

    private static let flv: ByteBuffer = {
        var bytes = FLVWriter.fileHeader(hasAudio: true, hasVideo: true)
        for time in 0..<5 as Range<UInt32> {
            FLVWriter.write(
                tag: FLVTag(
                    type: .video, timestamp: time * 40,
                    payload: ByteBuffer(repeating: 0x27, count: 100)), into: &bytes)
        }
        return bytes
    }()

    @Test func redirectsAreFollowedWithCookies() async throws {
        try await withServer(of: { Server() }) { port in
            let url = "http://127.0.0.1:\(port)/live/cam.flv"
            let specs = (0..<4).map { ViewerSpec(index: $0, transport: .httpFLV, url: url) }
            let load = try LoadViewerPool(Array(specs.prefix(2)), options: .init())
            let probes = try ProbePool(Array(specs.suffix(2)), congestionControl: nil)
            let start = Clock.monotonicNanoseconds()
            load.start(atNanoseconds: start, window: nil)
            probes.start(atNanoseconds: start, window: nil)
            while true {
                let playing = try await probes.interval().playing
                if load.interval().playing == 2, playing == 2 { break }
                try await Task.sleep(for: .milliseconds(5))
            }
            // Five frames of 100 bytes each, and nothing of the redirect or of the chunks' heads.
            var (loaded, probed) = (0, 0)
            let report = await load.stop()
            loaded = report.viewers.reduce(0) { $0 + $1.total.payloadBytes }
            let probeReport = try await probes.stop()
            probed = probeReport.viewers.reduce(0) { $0 + $1.total.payloadBytes }
            #expect(report.viewers.allSatisfy { $0.failure == nil })
            #expect(probeReport.viewers.allSatisfy { $0.failure == nil })
            #expect(loaded <= 1000 && loaded > 0)
            #expect(probed <= 1000 && probed > 0)
        }
    }
}
