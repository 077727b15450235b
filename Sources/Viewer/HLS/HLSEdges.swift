import HTTPWire

/// The edges that a viewer may ask, and the present one.
struct HLSEdges {
    /// The viewer's URL and its alternatives, in the order in which they are tried.
    let entries: [HTTPURL]
    private var present = 0

    init(_ entries: [HTTPURL]) { self.entries = entries }

    /// - Throws: `ViewerError` if a text is not a URL.
    init(of spec: HLSViewerSpec) throws {
        do {
            entries = try ([spec.url] + spec.alternatives).map { try HTTPURL($0) }
        } catch {
            throw ViewerError(description: "\(error); a playlist's URL is meant")
        }
    }

    mutating func moveOn() { present = (present + 1) % entries.count }

    /// Returns the same URL at the present edge, for a URL at any of the edges.
    func atPresentEdge(_ url: HTTPURL) -> HTTPURL {
        // The URL stays as it is after a redirect to another server.
        guard entries.count > 1, !isAtPresentEdge(url) else { return url }
        var moved = entries[present]
        moved.target = url.target
        return moved
    }

    /// Whether a URL is at the present edge. A URL at a server that is no edge, after a redirect,
    /// counts as present too.
    func isAtPresentEdge(_ url: HTTPURL) -> Bool {
        url.isAtServer(of: entries[present]) || !isAtAnEdge(url)
    }

    func isAtAnEdge(_ url: HTTPURL) -> Bool {
        entries.contains { url.isAtServer(of: $0) }
    }
}
