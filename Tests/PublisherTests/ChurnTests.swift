import NIOCore
import NIOPosix
import RTMP
import Server
import Synchronization
import TestServer
import TestSupport
import Testing

@testable import Publisher

/// Publishing connections that came and went leave nothing in memory.
@Suite(.timeLimit(.minutes(2))) struct PublisherChurnTests {
    private struct Weak: @unchecked Sendable {
        weak var object: AnyObject?
    }

    private final class Register: Sendable {
        private let all = Mutex<[Weak]>([])
        func add(_ object: AnyObject) {
            let weak = Weak(object: object)
            all.withLock { $0.append(weak) }
        }
        var living: Int { all.withLock { $0.count { $0.object != nil } } }
        var count: Int { all.withLock { $0.count } }
    }

    @Test(arguments: [true, false]) func handlersAreGone(saysGoodbye: Bool) async throws {
        try await withServer { server in
            let register = Register()
            let group = MultiThreadedEventLoopGroup.singleton
            for round in 0..<300 {
                let url = try RTMPURL("rtmp://127.0.0.1:\(server.rtmpPort)/live/p\(round)")
                let loop = group.any()
                let started = loop.makePromise(of: Void.self)
                let channel = try await ClientBootstrap(group: loop)
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            let handler = PublishHandler(
                                url: url, chunkSize: 4096, started: started
                            ) { _ in }
                            register.add(handler)
                            try channel.pipeline.syncOperations.addHandler(handler)
                            handler.giveUp(after: 60_000)
                        }
                    }
                    .connect(host: url.host, port: url.port).get()
                try await started.futureResult.get()
                if saysGoodbye {
                    try await loop.submit {
                        try channel.pipeline.syncOperations.handler(type: PublishHandler.self)
                            .finish()
                    }.get()
                    try await channel.closeFuture.get()
                } else {
                    try await channel.close()
                }
            }
            #expect(register.count == 300)
            try await eventually("every handler is gone from memory") { register.living == 0 }
        }
    }
}
