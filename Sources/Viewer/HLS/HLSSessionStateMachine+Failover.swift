/// Moving to another edge where one does not answer, as hls.js goes on with a redundant stream.
extension HLSSessionStateMachine {
    /// After a failed request: whether it goes to another edge at once, which is then noted.
    mutating func movesOn(_ request: HLSPlayerRequest, at time: Double) -> Bool {
        let slot = slots[request.slot]
        guard spec.failoverAfter > 0, !spec.alternatives.isEmpty else { return false }
        // Otherwise the other connection has found out before.
        let isFailover = edges.isAtPresentEdge(request.url)
        if isFailover {
            guard slot.failures >= spec.failoverAfter, edges.isAtAnEdge(request.url),
                slot.failoversWithoutResponse < spec.alternatives.count
            else { return false }
            edges.moveOn()
            counts.failovers += 1
        }
        slots[request.slot].move(isFailover: isFailover)
        slots[request.slot].wait(request, until: time)
        return true
    }
}
