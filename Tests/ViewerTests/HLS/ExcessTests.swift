import HTTPWire
import NIOCore
import Sockets
import Testing

@testable import Viewer

/// Servers that send more than they said: what follows an answer is nobody's (RFC 9112, 6.3).
@Suite(.timeLimit(.minutes(1))) struct ExcessTests {
    static let excesses = [
        "\r\n", "x", "more of the segment", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
    ]

    @Test(arguments: excesses)
    func anAnswerEndsWhereItSaid(_ excess: String) throws {
        let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n#EXTM3U".utf8)
        let bytes = answer + Array(excess.utf8)
        for cut in 0...bytes.count {
            let connection = HLSPlayerConnection()
            connection.request = HLSPlayerRequest(
                purpose: .entry, url: try HTTPURL("http://h/a.m3u8"))
            var progress = HLSPlayerConnection.Progress()
            for piece in [bytes[..<cut], bytes[cut...]] where !progress.isWhole {
                progress = try Array(piece).withUnsafeBytes { try connection.take($0) { _ in } }
            }
            #expect(progress.isWhole && connection.head?.status == 200)
            #expect(connection.kept == Array("#EXTM3U".utf8))
            // Empty lines between answers are known from old servers.
            let isClean = excess == "\r\n" || cut == answer.count
            #expect(connection.head?.keepsAlive == isClean, "cut at \(cut)")
        }
    }

    /// Answers whatever is asked for, and `excess` behind it, in the same write or a later one.
    private final class Server: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let excess: String
        private let isLate: Bool
        private var head = ""

        init(excess: String, isLate: Bool) {
            self.excess = excess
            self.isLate = isLate
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            head += String(buffer: unwrapInboundIn(data))
            guard head.contains("\r\n\r\n") else { return }
            let isPlaylist = head.hasPrefix("GET /vod.m3u8 ")
            head = ""
            let body =
                isPlaylist
                ? HLSSessionTests.vod(6).replacing(":2.0", with: ":0.25")
                : String(repeating: "G", count: 20_000)
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            if isLate {
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: excess)), promise: nil)
            } else {
                context.writeAndFlush(
                    wrapOutboundOut(ByteBuffer(string: answer + excess)), promise: nil)
            }
        }
    }

    /// What comes later and looks like an answer cannot be told from one.
    @Test(arguments: excesses.map { ($0, false) } + excesses.dropLast().map { ($0, true) })
    func viewersPlayOn(_ excess: String, isLate: Bool) async throws {
        try await withServer(of: { Server(excess: excess, isLate: isLate) }) { port in
            let spec = HLSViewerSpec(index: 0, url: "http://127.0.0.1:\(port)/vod.m3u8")
            let pool = try HLSViewerPool([spec], options: .init())
            pool.start(atNanoseconds: Clock.monotonicNanoseconds(), window: nil)
            // The viewer leaves when the title is over; the suite's time limit bounds the waiting.
            while true {
                let report = pool.interval()
                if report.receivedBytes >= 120_000, report.connected == 0 { break }
                try await Task.sleep(for: .milliseconds(5))
            }
            let report = await pool.stop()
            let viewer = try #require(report.viewers.first)
            #expect(viewer.failure == nil)
            #expect(viewer.segments.map(\.bytes) == [Int](repeating: 20_000, count: 6))
            #expect(viewer.requests.broken == 0 && viewer.requests.refused == 0)
        }
    }
}
