import HLS
import NIOCore
import NIOHTTP1
import NIOPosix

/// An HTTP server with responses that a closure determines.
struct TestOrigin {
    struct Answer: Sendable {
        var status = 200
        var headers: [String: String] = [:]
        var body = ByteBuffer()
    }

    let port: Int
    private let group: MultiThreadedEventLoopGroup

    init(_ answer: @escaping @Sendable (String) async -> Answer) async throws {
        try await self.init(answersHeads: { await answer($0.uri) })
    }

    init(answersHeads answer: @escaping @Sendable (HTTPRequestHead) async -> Answer) async throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    func stop() async throws { try await group.shutdownGracefully() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let answer: @Sendable (HTTPRequestHead) async -> Answer

        init(_ answer: @escaping @Sendable (HTTPRequestHead) async -> Answer) {
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .head(let request) = unwrapInboundIn(data) else { return }
            let channel = context.channel
            let answer = answer
            Task {
                let answer = await answer(request)
                guard channel.isActive else { return }
                var head = HTTPResponseHead(
                    version: .http1_1, status: .init(statusCode: answer.status))
                for (name, value) in answer.headers { head.headers.add(name: name, value: value) }
                head.headers.add(name: "Content-Length", value: "\(answer.body.readableBytes)")
                channel.write(HTTPServerResponsePart.head(head), promise: nil)
                channel.write(
                    HTTPServerResponsePart.body(.byteBuffer(answer.body)), promise: nil)
                channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
            }
        }
    }
}

/// A low-latency stream of one-second segments with four parts each, in real time.
struct LiveStream: Sendable {
    enum Fault: String, Sendable, CaseIterable {
        case none, answersEarly, takesAnyNumber, skipsTooMany, forgetsRemoved, losesSegment
        case hasNoCORS, cachesPlaylist, restartsNumbers, refusesBlocking, isSlow
    }

    var fault = Fault.none
    private let start = ContinuousClock.now

    init(_ fault: Fault) { self.fault = fault }

    /// Number of quarters of a second since the stream began, which is 100 s before the test.
    private var parts: Int {
        400 + (fault == .isSlow ? 0 : Int((ContinuousClock.now - start) / .milliseconds(250)))
    }

    func answer(_ uri: String) async -> TestOrigin.Answer {
        guard uri.hasPrefix("/live/index.m3u8") else { return segment(uri) }
        var values: [String: String] = [:]
        for pair in uri.split(separator: "?").dropFirst().joined().split(separator: "&") {
            let parts = pair.split(separator: "=")
            values[String(parts[0])] = String(parts[1])
        }
        if let sequence = values["_HLS_msn"].flatMap({ Int($0) }) {
            if fault == .refusesBlocking || fault == .isSlow { return .init(status: 503) }
            let wanted = 4 * sequence + (values["_HLS_part"].flatMap { Int($0) } ?? 3) + 1
            if wanted > parts + 12, fault != .takesAnyNumber { return .init(status: 400) }
            if fault == .answersEarly {
                return playlist(skips: false, parts: min(parts, wanted - 1))
            }
            for _ in 0..<1_000 where fault != .takesAnyNumber && parts < wanted {
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
        return playlist(skips: values["_HLS_skip"] != nil, parts: parts)
    }

    private func segment(_ uri: String) -> TestOrigin.Answer {
        let number = Int(uri.split(separator: "/").last?.prefix { $0 != "." } ?? "") ?? -1
        let oldest = parts / 4 - 12
        if fault == .forgetsRemoved, number < oldest { return .init(status: 404) }
        if fault == .losesSegment, number % 4 == 0 { return .init(status: 404) }
        return .init(
            headers: headers("audio/aac", "max-age=3600"), body: ByteBuffer(string: "ID3 \(number)")
        )
    }

    private func headers(_ type: String, _ cache: String) -> [String: String] {
        var headers = ["Content-Type": type, "Cache-Control": cache]
        if fault != .hasNoCORS { headers["Access-Control-Allow-Origin"] = "*" }
        return headers
    }

    private func playlist(skips: Bool, parts: Int) -> TestOrigin.Answer {
        let next = parts / 4
        let first = next - 12
        func part(_ number: Int, _ index: Int) -> MediaPlaylist.Part {
            .init(uri: "\(number).\(index).aac", duration: 0.25, isIndependent: true)
        }
        var playlist = MediaPlaylist(
            version: 9, targetDuration: 1, mediaSequence: first,
            serverControl: .init(
                canBlockReload: true, canSkipUntil: 6, partHoldBack: 0.75), partTarget: 0.25)
        if fault == .restartsNumbers { playlist.mediaSequence = parts % 2 }
        playlist.segments = (first..<next).map { number in
            MediaPlaylist.Segment(
                uri: "\(number).aac", duration: 1,
                programDateTime: .init(millisecondsSince1970: Int64(number) * 1000),
                parts: number < next - 2 ? [] : (0..<4).map { part(number, $0) })
        }
        let open = (0..<parts % 4).map { part(next, $0) }
        if !open.isEmpty { playlist.partialSegment = .init(parts: open) }
        playlist.preloadHints = [.init(uri: "\(next).\(parts % 4).aac")]
        if skips { playlist = playlist.skipping(fault == .skipsTooMany ? 10 : 5) }
        return .init(
            headers: headers(
                "application/vnd.apple.mpegurl",
                fault == .cachesPlaylist ? "max-age=60" : "max-age=1"),
            body: ByteBuffer(string: playlist.text))
    }
}
