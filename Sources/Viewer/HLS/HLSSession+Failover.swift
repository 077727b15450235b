import HTTPWire

/// Moving to another edge where one does not answer, as hls.js goes on with a redundant stream.
extension HLSSession {
    /// After a failed request: whether it goes to another edge at once, which is then noted.
    mutating func movesOn(_ request: HLSRequest, at time: Double) -> Bool {
        let slot = request.slot.rawValue
        guard spec.failoverAfter > 0, !spec.alternatives.isEmpty else { return false }
        if !isAtPresentEdge(request.url) {
            // The other connection has found out before.
        } else if retries[slot] >= spec.failoverAfter, isAtAnEdge(request.url),
            movesInVain[slot] < spec.alternatives.count
        {
            edge = (edge + 1) % entries.count
            movesInVain[slot] += 1
            counts.failovers += 1
        } else {
            return false
        }
        retries[slot] = 0
        waiting[slot] = (request, time)
        return true
    }

    /// A URL of any of the edges, at the one that the viewer is at.
    func atPresentEdge(_ url: HTTPURL) -> HTTPURL {
        // A redirect may have led elsewhere.
        guard entries.count > 1, !isAtPresentEdge(url) else { return url }
        var moved = entries[edge]
        moved.target = url.target
        return moved
    }

    /// True also where a redirect led elsewhere.
    private func isAtPresentEdge(_ url: HTTPURL) -> Bool {
        url.isAtServer(of: entries[edge]) || !isAtAnEdge(url)
    }

    private func isAtAnEdge(_ url: HTTPURL) -> Bool {
        entries.contains { url.isAtServer(of: $0) }
    }
}
