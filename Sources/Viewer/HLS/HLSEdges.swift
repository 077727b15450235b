import HTTPWire

/// The edges that a viewer may ask, and which one it asks.
struct HLSEdges {
    /// The viewer's URL and its alternatives, in the order in which they are tried.
    let entries: [HTTPURL]
    private var present = 0

    init(_ entries: [HTTPURL]) { self.entries = entries }

    /// - Throws: `ViewerError` for a text that is no URL.
    init(of spec: HLSViewerSpec) throws {
        do {
            entries = try ([spec.url] + spec.alternatives).map { try HTTPURL($0) }
        } catch {
            throw ViewerError(description: "\(error); a playlist's URL is meant")
        }
    }

    mutating func moveOn() { present = (present + 1) % entries.count }

    /// A URL of any of the edges, at the one that the viewer asks.
    func atPresentEdge(_ url: HTTPURL) -> HTTPURL {
        // A redirect may have led elsewhere.
        guard entries.count > 1, !isAtPresentEdge(url) else { return url }
        var moved = entries[present]
        moved.target = url.target
        return moved
    }

    /// True also where a redirect led elsewhere.
    func isAtPresentEdge(_ url: HTTPURL) -> Bool {
        url.isAtServer(of: entries[present]) || !isAtAnEdge(url)
    }

    func isAtAnEdge(_ url: HTTPURL) -> Bool {
        entries.contains { url.isAtServer(of: $0) }
    }
}
