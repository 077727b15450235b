import Glibc
import HTTPWire
import Sockets

/// Results of requests: responses and failures.
extension HLSLoop {
    func deliver(_ index: Int, _ now: Int64) {
        let viewer = viewers[index]
        while let (time, slot) = viewer.takeArrival(at: now) {
            if let next = viewer.answer(slot, at: time, window: window) {
                fetch(next.request, next.url, index, now, redirects: next.redirects)
            }
            // The session's commands are performed at once: the response to a request that the
            // session now drops must not be taken for the response to the next request.
            _ = performCommands(index, now)
            guard viewer.isPresent else { return }
        }
    }

    func closedByPeer(_ index: Int, _ slot: Int, _ code: Int32, _ now: Int64) {
        let viewer = viewers[index]
        do throws(HTTPResponseReader.Fault) {
            if try viewer.connections[slot].closedByPeer() {
                viewer.arrived(slot, now, window: window)
                viewer.connections[slot].head?.keepsAlive = false
                return
            }
        } catch {
            return broken(index, slot, error.reason, now)
        }
        unanswered(
            index, slot,
            code == 0 || code == ECONNRESET
                ? "the server closed the connection" : "recv: \(String(cString: strerror(code)))",
            now)
    }

    /// Handles a request without a readable response. If the connection has carried requests
    /// before, the server may have ended it, or may have sent the rest of the previous response
    /// while the request was under way. In this case the request is sent again at once, on a new
    /// connection.
    func unanswered(_ index: Int, _ slot: Int, _ reason: String, _ now: Int64) {
        let viewer = viewers[index]
        let connection = viewer.connections[slot]
        guard connection.isReused, connection.head == nil, let request = connection.request,
            let url = connection.url
        else { return broken(index, slot, reason, now) }
        connection.close()
        viewer.session.counts.repeated += 1
        fetch(request, url, index, now, redirects: connection.redirects)
    }

    func broken(_ index: Int, _ slot: Int, _ reason: String, _ now: Int64) {
        let viewer = viewers[index]
        viewer.connections[slot].close()
        viewer.tell(
            .failed(HLSPlayerRequest.Slot.allCases[slot], .broken(reason)),
            at: viewer.milliseconds(now))
        schedule(index, at: now + 1)
    }
}
