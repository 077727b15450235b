import struct HTTPWire.HTTPURL
import NIOCore
import NIOHTTP1
import NIOPosix
import RTMP
import Synchronization
import TestServer
import TestSupport
import Testing

@testable import Server

/// Connections that came and went leave nothing in memory.
///
/// A connection counts as long as its handler lives, so a circle of references shows as a count
/// that does not fall.
@Suite(.serialized, .timeLimit(.minutes(4))) struct ChurnTests {
    /// Number of connections of a kind, and of tasks at once; a round trip of a test's peer is a
    /// wait.
    private static let (rounds, tasks) = (1000, 40)

    private func many(_ body: @escaping @Sendable (Int) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<Self.tasks {
                group.addTask {
                    for round in 0..<Self.rounds / Self.tasks {
                        try await body(task * Self.rounds + round)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test(arguments: ["nothing", "handshake", "unfinished message", "play", "publish", "both ways"])
    func rtmp(kind: String) async throws {
        try await withServer { server in
            try await many { try await Self.comeAndGo(server, kind, $0) }
            try await eventually("every handler is gone from memory") {
                server.admissions.connections == 0
            }
        }
    }

    private static func comeAndGo(_ server: RelayServer, _ kind: String, _ round: Int) async throws
    {
        if kind == "nothing" { return try TCPSocket(port: server.rtmpPort).close() }
        let peer = try await RTMPPeer(server)
        switch kind {
        case "unfinished message":
            // The peer claims a megabyte, and sends one chunk of it.
            let chunk = [3, 0, 0, 0, 0x10, 0, 0, 9, 0, 0, 0, 0] as [UInt8]
            try await peer.socket.send(
                ByteBuffer(bytes: chunk + [UInt8](repeating: 1, count: 128)))
        case "play": try await peer.play("none\(round % 7)")
        case "publish":
            try await peer.publish("p\(round)")
            try await peer.unpublish("p\(round)")
        case "both ways":
            try await peer.open()
            try await peer.send(ControlMessage.pingRequest(1).message)
        default: break
        }
        peer.socket.close()
    }

    @Test(arguments: [
        "", "/api/v1/status", "/nothing", "/live/a.flv", "/hls/live/a/index.m3u8",
        "/hls/live/none/index.m3u8", "/hls/live/a/index.m3u8?_HLS_msn=99999999",
    ])
    func http(path: String) async throws {
        try await withServer {
            $0.hls = HLSConfiguration()
        } _: { server in
            let publisher = try await RTMPPeer(server)
            try await publisher.publish("a")
            let frames = TestFrames()
            try await publisher.send(frames.headers)
            try await publisher.send(frames, 0..<10)
            let others = server.admissions.connections
            try await many { round in
                let socket = try TCPSocket(port: try #require(server.httpPort))
                if !path.isEmpty {
                    try await socket.send(
                        ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n"))
                    // Some leave before the response, others after it.
                    if round % 2 == 0, !path.contains("index") {
                        _ = try await socket.receive()
                    }
                }
                socket.close()
            }
            try await eventually("every handler is gone from memory") {
                server.admissions.connections <= others
            }
        }
    }

    @Test(arguments: ["", "/a/s-1.ts", "/a/index.m3u8", "/api/v1/edge", "/slow.ts"])
    func edge(path: String) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let origin = try ScriptedOrigin()
        var configuration = EdgeConfiguration(origin: "http://127.0.0.1:\(origin.port)")
        configuration.originConnections = 4
        let address = try #require(HTTPURL(origin: configuration.origin))
        let settled = configuration
        let gate = try APIGate(token: nil, file: nil)
        let core = try await loop.submit {
            NIOLoopBound(
                EdgeCore(settled, origin: address, gate: gate, eventLoop: loop), eventLoop: loop)
        }.get()
        let register = WeakRegister()
        let listener = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let client = EdgeClient(core.value)
                    register.add(client)
                    try channel.pipeline.syncOperations.addHandlers([
                        ByteToMessageHandler(HTTPRequestDecoder()), client,
                    ])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        for _ in 0..<Self.rounds {
            let socket = try TCPSocket(port: port)
            if !path.isEmpty {
                try await socket.send(
                    ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n"))
            }
            socket.close()
        }
        try await eventually("every client is gone from memory") {
            register.count == Self.rounds && register.living == 0
        }
        try await listener.close()
        try await loop.submit { core.value.stop() }.get()
        try await group.shutdownGracefully()
    }

    /// Earlier, each publication made all later ones slower, until the stack was full.
    @Test func theObserverIsCalledDirectly() {
        let directory = StreamDirectory(.init())
        nonisolated(unsafe) var depths: [Int] = []
        directory.observe {
            // Stack frames between here and the test show as the distance of two addresses.
            var here = 0
            withUnsafePointer(to: &here) { depths.append(Int(bitPattern: $0)) }
        }
        for round in 0..<2000 {
            guard case .granted(let grant) = directory.claim("live/a", address: "x", cut: {}) else {
                Issue.record("round \(round) is refused")
                return
            }
            _ = directory.end("live/a", id: grant.id, onlyIfAway: false)
        }
        #expect(depths.count == 4000)
        let spread = (depths.max() ?? 0) - (depths.min() ?? 0)
        #expect(spread < 4096, "the stack of a call grows by \(spread) bytes")
    }
}

/// Counts how many of the registered objects are still in memory.
final class WeakRegister: Sendable {
    private struct Weak: @unchecked Sendable {
        weak var object: AnyObject?
    }

    private let all = Mutex<[Weak]>([])

    func add(_ object: AnyObject) {
        let weak = Weak(object: object)
        all.withLock { $0.append(weak) }
    }

    var living: Int { all.withLock { $0.count { $0.object != nil } } }
    var count: Int { all.withLock { $0.count } }
}
