/// Moving to another edge where one does not answer, as hls.js goes on with a redundant stream.
extension HLSSession {
    /// Entry URLs in the order in which they are tried: the viewer's own first.
    private var entries: [String] { [spec.url] + spec.alternatives }

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
    func atPresentEdge(_ url: String) -> String {
        guard !spec.alternatives.isEmpty, !isAtPresentEdge(url) else { return url }
        for entry in entries {
            let authority = HLSAddress.authority(of: entry)
            guard HLSAddress.authority(of: url) == authority else { continue }
            return String(HLSAddress.authority(of: entries[edge]) + url.dropFirst(authority.count))
        }
        // A redirect led elsewhere.
        return url
    }

    /// True also where a redirect led elsewhere.
    private func isAtPresentEdge(_ url: String) -> Bool {
        HLSAddress.authority(of: url) == HLSAddress.authority(of: entries[edge]) || !isAtAnEdge(url)
    }

    private func isAtAnEdge(_ url: String) -> Bool {
        let mine = HLSAddress.authority(of: url)
        return entries.contains { HLSAddress.authority(of: $0) == mine }
    }
}
