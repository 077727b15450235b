package import Logging
package import Server

/// A log that says nothing.
package let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A server on free ports for the time of `body`.
package func withServer(
    isolation: isolated (any Actor)? = #isolation,
    _ configure: (inout ServerConfiguration) -> Void = { _ in },
    _ body: (RelayServer) async throws -> Void
) async throws {
    var configuration = ServerConfiguration()
    configuration.rtmpPort = 0
    configuration.httpPort = 0
    configure(&configuration)
    let server = try await RelayServer.start(configuration, logger: quiet)
    do {
        try await body(server)
    } catch {
        try? await server.stop()
        throw error
    }
    try await server.stop()
}
