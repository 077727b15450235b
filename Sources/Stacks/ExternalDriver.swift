package import Processes
package import Scenario
package import Sockets

/// A server that somebody else runs, given by URL. Its CPU time is known if the scenario names its
/// processes or a page of statistics.
package struct ExternalDriver: StackDriver {
    package let name = "external"
    package let endpoints: StackEndpoints
    private let account: ExternalAccount

    /// - Parameters:
    ///   - url: `rtmp://host[:port]/application`, or `rtmps://…`; without a port, 1935 or 443.
    ///   - httpURL: Base URL of the HTTP-FLV streams.
    ///   - hlsURL: URL of multivariant playlists, in which `{stream}` stands for the stream.
    ///   - trust: Certificates that are trusted with https and rtmps.
    ///   - accounting: The server's processes or statistics.
    /// - Throws: `StackError` for a URL that cannot work.
    package init(
        url: String, httpURL: String?, hlsURL: String? = nil, trust: TLSTrust = TLSTrust(),
        accounting: ServerAccounting = ServerAccounting()
    ) throws(StackError) {
        endpoints = try StackEndpoints(
            url: url, httpURL: httpURL, hlsURL: hlsURL, trust: trust, driver: "external")
        account = ExternalAccount(accounting)
    }

    package func start() async throws(StackError) -> StackEndpoints {
        guard LocalPort.accepts(host: endpoints.rtmpHost, port: endpoints.rtmpPort) else {
            throw StackError(
                driver: name,
                message: "nothing listens on \(endpoints.rtmpHost):\(endpoints.rtmpPort); "
                    + "start the server or mend stack.url")
        }
        try await account.begin()
        return endpoints
    }

    package var processGroups: [Int32] { [] }
    package var processes: [ProcessIdentity] { get async { await account.processes } }
    package var hasStatistics: Bool { get async { await account.hasStatistics } }
    package func readStatistics() async -> StatReading? { await account.readStatistics() }
    package var notes: [String] { get async { await account.notes } }
    package var exitStatus: ExitStatus? { nil }
    package func stop() async {}
}
