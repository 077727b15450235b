import NIOCore
import NIOPosix

/// The event loops of a server: those that serve media, and one for the API if it has a port of its
/// own.
struct ServerLoops: Sendable {
    let media: MultiThreadedEventLoopGroup
    let api: MultiThreadedEventLoopGroup?

    init(_ configuration: ServerConfiguration) {
        media = MultiThreadedEventLoopGroup(numberOfThreads: configuration.threads)
        api = configuration.apiPort.map { _ in MultiThreadedEventLoopGroup(numberOfThreads: 1) }
    }

    func shutDown() async throws {
        // The API's loop ends in any case.
        try? await api?.shutdownGracefully()
        try await media.shutdownGracefully()
    }
}
