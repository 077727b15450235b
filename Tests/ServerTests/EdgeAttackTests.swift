import Foundation
import NIOCore
import NIOPosix
import TestSupport
import Testing

/// Hostile origins and clients attack an edge: it lives, answers honest clients, and keeps to the
/// memory that it states.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: Shell.millrace != nil, "not built"))
struct EdgeAttackTests {
    /// Memory that the cache may hold, and memory that the process may have besides.
    private static let (cacheMiB, besideMiB) = (32, 64)

    private func withEdge(_ body: (Victim, Int) async throws -> Void) async throws {
        let origin = try await HostileOrigin()
        let victim = try await Victim([
            "edge", "--origin", "http://127.0.0.1:\(origin.port)", "--port", "0",
            "--origin-timeout", "1s", "--cache", "\(Self.cacheMiB)MiB", "-q",
        ])
        let port = try victim.port("http")
        try await body(victim, port)
        // After any attack, an honest client gets a response.
        #expect(try await fetch("/echo.ts?honest", port).hasPrefix("HTTP/1.1 200"))
        try await eventually("the memory stays in its limit") {
            try victim.grownBytes() <= (Self.cacheMiB + Self.besideMiB) << 20
        }
        try await victim.stop()
        try await origin.stop()
    }

    /// Returns the beginning of a response, of which at most 8 MiB are read; empty if none came.
    private func fetch(
        _ path: String, _ port: Int, headers: String = "", seconds: Int = 5
    ) async throws -> String {
        let socket = try TCPSocket(port: port)
        defer { socket.close() }
        try await socket.send(
            ByteBuffer(
                string: "GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\(headers)\r\n"))
        var (text, count) = ("", 0)
        let deadline = ContinuousClock.now + .seconds(seconds)
        while count < 8 << 20, ContinuousClock.now < deadline {
            switch socket.poll() {
            case .closed: return text
            case .nothing: try await Task.sleep(for: .milliseconds(1))
            case .bytes(let bytes):
                count += bytes.readableBytes
                if text.utf8.count < 2000 { text += String(buffer: bytes).prefix(2000) }
            }
        }
        return text
    }

    @Test func originsThatAnswerAsNoServerDoes() async throws {
        try await withEdge { victim, port in
            for path in HostileOrigin.Answer.allCases {
                let text = try await fetch("/\(path.rawValue).ts", port)
                let isServed = text.isEmpty || text.hasPrefix("HTTP/1.1 ")
                #expect(isServed, "\(path): \(text.prefix(200))")
                #expect(victim.isAlive, "\(path): \(victim.log.suffix(500))")
            }
        }
    }

    @Test func targetsThatNoClientAsksFor() async throws {
        try await withEdge { victim, port in
            for path in [
                "/./echo.ts", "//echo.ts", "/x/../echo.ts", "/%65cho.ts", "/echo.ts?",
                "/echo.ts?_HLS_part=2&_HLS_msn=1", "/echo.ts?_HLS_msn=99999999999999999999",
                "/echo.ts\tHTTP", "/echo.ts%0d%0aX:%20y", "/echo.ts\u{1}",
                "/" + String(repeating: "a", count: 5000), "/../../etc/passwd",
                "http://other/echo.ts", "*", "/%", "/%zz",
            ] {
                _ = try await fetch(path, port, seconds: 2)
                #expect(victim.isAlive, "\(path): \(victim.log.suffix(500))")
            }
            for headers in [
                "Range: bytes=-3\r\n", "Range: bytes=99999999999999999999-\r\n",
                "Via: 1.1 \(String(repeating: "x", count: 5000))\r\n",
                "If-None-Match: *\r\nCache-Control: no-cache\r\n", "Content-Length: -1\r\n",
                "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            ] {
                _ = try await fetch("/echo.ts", port, headers: headers, seconds: 2)
                #expect(victim.isAlive, "\(headers): \(victim.log.suffix(500))")
            }
        }
    }

    /// Clients request more distinct objects than the cache holds.
    @Test func keysWithoutEnd() async throws {
        try await withEdge { victim, port in
            for number in 0..<600 {
                let text = try await fetch("/big.ts?\(number)", port)
                try #require(text.hasPrefix("HTTP/1.1 200"), "\(number): \(text)")
            }
        }
    }

    /// Clients hold every connection to the origin, and some of them then leave.
    @Test func connectionsThatAreHeld() async throws {
        try await withEdge { victim, port in
            var clients: [TCPSocket] = []
            for number in 0..<130 {
                let socket = try TCPSocket(port: port)
                try await socket.send(
                    ByteBuffer(string: "GET /stall.ts?\(number) HTTP/1.1\r\nHost: x\r\n\r\n"))
                clients.append(socket)
            }
            #expect(try await fetch("/echo.ts?beside", port, seconds: 20).hasPrefix("HTTP/1.1 200"))
            for client in clients { client.close() }
        }
    }
}

/// An origin that answers by the path's first word, on any number of connections.
final class HostileOrigin: Sendable {
    enum Answer: String, CaseIterable {
        case endless, nolength, gig, short, long, redirect, error, garbage, headers, early, status
        case empty, chunk, echo, big, stall
    }

    let port: Int
    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel

    init() async throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = try #require(channel.localAddress?.port)
    }

    func stop() async throws {
        try await channel.close()
        try await group.shutdownGracefully()
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private static let ok = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
        /// Number of bytes after which a body without an end is stopped.
        private static let most = 64 << 20
        private var head = ""
        private var sent = 0
        private var pours = false

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            head += String(buffer: unwrapInboundIn(data))
            while let end = head.range(of: "\r\n\r\n") {
                let line = head[..<end.lowerBound].prefix { $0 != "\r\n" }
                let path = line.split(separator: " ").dropFirst().first ?? ""
                let word = path.drop { !$0.isLetter }.prefix(while: \.isLetter)
                head.removeSubrange(..<end.upperBound)
                answer(Answer(rawValue: String(word)) ?? .error, context)
            }
        }

        private func answer(_ answer: Answer, _ context: ChannelHandlerContext) {
            let ok = Self.ok
            switch answer {
            case .endless:
                say(ok + "Transfer-Encoding: chunked\r\n\r\n", context)
                pour(context)
            case .nolength:
                say("HTTP/1.0 200 OK\r\n\r\n", context)
                pour(context)
            case .gig:
                say(ok + "Content-Length: 1073741824\r\n\r\n", context)
                pour(context)
            case .short: say(ok + "Content-Length: 1000\r\n\r\nfew", context, closes: true)
            case .long: say(ok + "Content-Length: 3\r\n\r\nmore than three", context)
            case .redirect:
                say(
                    "HTTP/1.1 302 Found\r\nLocation: /redirect.ts\r\nContent-Length: 0\r\n\r\n",
                    context)
            case .error: say("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", context)
            case .garbage: say(String(repeating: "\u{0}\u{1}garbage", count: 1000), context)
            case .headers: say(ok + String(repeating: "X: y\r\n", count: 200_000), context)
            case .early:
                let continues = String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 1000)
                say(continues + ok + "Content-Length: 2\r\n\r\nok", context)
            case .status: say("HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", context)
            case .empty: context.close(promise: nil)
            case .chunk:
                say(ok + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", context)
            case .echo: say(ok + "Content-Length: 4\r\n\r\nhere", context)
            case .big:
                say(
                    ok + "Content-Length: 100000\r\n\r\n" + String(repeating: "b", count: 100_000),
                    context)
            case .stall: say(ok + "Content-Length: 1000\r\n\r\nx", context)
            }
        }

        private func say(_ text: String, _ context: ChannelHandlerContext, closes: Bool = false) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            if closes { context.close(promise: nil) }
        }

        /// Sends as long as the edge reads. If there are chunks, they have the right form.
        private func pour(_ context: ChannelHandlerContext) {
            pours = true
            let block = ByteBuffer(
                string: "8000\r\n" + String(repeating: "e", count: 32_768) + "\r\n")
            while pours, context.channel.isWritable, sent < Self.most {
                sent += block.readableBytes
                context.writeAndFlush(wrapOutboundOut(block), promise: nil)
            }
        }

        func channelWritabilityChanged(context: ChannelHandlerContext) {
            if pours { pour(context) }
        }

        func channelInactive(context: ChannelHandlerContext) {
            pours = false
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
