import HTTPFetch
import HTTPWire
import NIOCore
import Sockets

/// What an inspection begins with: a URL, a playlist file, or a directory with one.
struct PresentationTarget {
    let source: ResourceSource
    /// The target as reports show it. A URL is without credentials.
    let location: String

    /// - Throws: `FetchError` if the target names nothing that can be inspected.
    init(
        _ target: String, group: any EventLoopGroup, trust: TLSTrust
    ) throws(FetchError) {
        if target.contains("://") {
            let url = try Self.url(target)
            source = .http(
                try HTTPGetter(
                    url, group: group, trust: trust,
                    sender: .init(
                        agent: "millrace-validate-hls", origin: "http://millrace.invalid")))
            location = url.description
        } else {
            source = .files
            location = try ResourceSource.path(target)
        }
    }

    /// Checks whether a target can be inspected, without a request to its server.
    static func check(_ target: String) throws(FetchError) {
        if target.contains("://") {
            _ = try url(target)
        } else {
            _ = try ResourceSource.path(target)
        }
    }

    private static func url(_ target: String) throws(FetchError) -> HTTPURL {
        do {
            return try HTTPURL(target)
        } catch {
            throw FetchError("\(error)")
        }
    }

    /// Parameters of a URL's query, which EXT-X-DEFINE may import.
    static func parameters(of location: String) -> [String: String] {
        (try? HTTPURL(location))?.parameters ?? [:]
    }
}
