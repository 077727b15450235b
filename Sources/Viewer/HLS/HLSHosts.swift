import HTTPWire
import Sockets

/// The servers that the viewers of one loop ask, and the names that could not be resolved.
struct HLSHosts {
    private var known: [(url: HTTPURL, connector: SocketConnector)] = []
    /// Names that could not be resolved, with the time until which they are not resolved again.
    private var unresolved: [String: (error: ViewerError, until: Int64)] = [:]

    /// Time in ns for which a name that could not be resolved is not tried again. A resolver that
    /// does not answer delays all viewers of the loop for seconds.
    private static let unresolvedTime: Int64 = 30_000_000_000
    private static let mostUnresolved = 256

    subscript(place: Int) -> (url: HTTPURL, connector: SocketConnector) { known[place] }

    /// Returns the index of a URL's host, which is resolved if it is new.
    mutating func place(of url: HTTPURL) throws -> Int {
        if let place = known.firstIndex(where: { $0.url.isAtServer(of: url) }) { return place }
        guard known.count < 256 else {
            throw ViewerError(description: "redirects lead to over 256 servers")
        }
        let now = Clock.monotonicNanoseconds()
        if let failure = unresolved[url.host], now < failure.until { throw failure.error }
        do {
            known.append((url, try SocketConnector(host: url.host, port: url.port)))
        } catch let error as ViewerError {
            if unresolved.count >= Self.mostUnresolved { unresolved.removeAll() }
            unresolved[url.host] = (error, Clock.monotonicNanoseconds() + Self.unresolvedTime)
            throw error
        }
        return known.count - 1
    }
}
