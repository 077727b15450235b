import Logging
import NIOCore
import NIOPosix
import Server
import Synchronization
import Testing

@testable import Viewer

/// Probes that came and went leave nothing in memory.
@Suite(.timeLimit(.minutes(2))) struct ProbeChurnTests {
    private struct Weak: @unchecked Sendable {
        weak var object: AnyObject?
    }

    private final class Register: Sendable {
        private let all = Mutex<[Weak]>([])
        func add(_ object: AnyObject) {
            let weak = Weak(object: object)
            all.withLock { $0.append(weak) }
        }
        private var living: Int { all.withLock { $0.count { $0.object != nil } } }
        var count: Int { all.withLock { $0.count } }

        /// How many stay, whatever is still under way.
        func livingAtLast() async throws -> Int {
            for _ in 0..<2_000 where living > 0 { try await Task.sleep(for: .milliseconds(5)) }
            return living
        }
    }

    @Test(arguments: [ViewerProtocol.rtmp, .httpFLV]) func handlersAreGone(
        transport: ViewerProtocol
    ) async throws {
        var configuration = ServerConfiguration()
        configuration.rtmpPort = 0
        configuration.httpPort = 0
        let server = try await RelayServer.start(
            configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let url =
            transport == .rtmp
            ? "rtmp://127.0.0.1:\(server.rtmpPort)/live/a"
            : "http://127.0.0.1:\(server.httpPort ?? 0)/live/a.flv"
        let spec = ViewerSpec(
            index: 0, transport: transport, url: url, stream: "a", rendition: "x",
            joinNanoseconds: 0, leaveNanoseconds: nil, link: nil, mode: .lazy)
        let register = Register()
        let endpoint = try ViewerEndpoint(spec)
        let group = MultiThreadedEventLoopGroup.singleton
        for _ in 0..<300 {
            let channel = try await ClientBootstrap(group: group)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let account = ProbeAccount(spec, askedAt: 1, frameLimit: 10)
                        let handler = ProbeHandler(
                            spec, endpoint, HTTPItinerary(), account: account
                        ) { _ in }
                        register.add(handler)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                }
                .connect(host: endpoint.host, port: endpoint.port).get()
            try await channel.close()
        }
        #expect(register.count == 300)
        #expect(try await register.livingAtLast() == 0)
        try await server.stop()
    }

    /// A pool that was stopped is forgotten, and its handlers with it.
    @Test func poolsAreGone() async throws {
        var configuration = ServerConfiguration()
        configuration.rtmpPort = 0
        let server = try await RelayServer.start(
            configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let register = Register()
        for _ in 0..<3 {
            let spec = ViewerSpec(
                index: 0, transport: .rtmp, url: "rtmp://127.0.0.1:\(server.rtmpPort)/live/a")
            let pool = try ProbePool([spec], congestionControl: nil)
            register.add(pool)
            pool.start(atNanoseconds: 0, window: nil)
            while try await !server.status().usage.contains(where: {
                $0.name == "connections" && $0.used > 0
            }) {
                try await Task.sleep(for: .milliseconds(5))
            }
            _ = try await pool.stop()
        }
        #expect(try await register.livingAtLast() == 0)
        try await server.stop()
    }
}
