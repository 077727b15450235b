import Glibc
import HTTPWire
import Sockets

/// Answers of an HLS loop's viewers: what came of requests.
extension HLSLoop {
    func deliver(_ index: Int, _ now: Int64) {
        while let (time, slot) = viewers[index].takeArrival(at: now) {
            if let next = viewers[index].answer(slot, at: time, window: window) {
                fetch(next.request, next.url, index, now, redirects: next.redirects)
            }
            // The session is obeyed at once: the answer to a request that it now drops must not be
            // taken for the answer to the next one.
            _ = performCommands(index, now)
            guard viewers[index].isPresent else { return }
        }
    }

    func closedByPeer(_ index: Int, _ slot: Int, _ code: Int32, _ now: Int64) {
        do throws(HTTPResponseReader.Fault) {
            if try viewers[index].connections[slot].closedByPeer() {
                viewers[index].arrived(slot, now, window: window)
                viewers[index].connections[slot].head?.keepsAlive = false
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

    /// No answer came, or none that can be read. Where the connection has carried others, the server
    /// may have ended it, or sent the rest of the answer before, as the request was on its way: it is
    /// asked again at once, on a connection of its own.
    func unanswered(_ index: Int, _ slot: Int, _ reason: String, _ now: Int64) {
        let connection = viewers[index].connections[slot]
        guard connection.isReused, connection.head == nil, let request = connection.request,
            let url = connection.url
        else { return broken(index, slot, reason, now) }
        viewers[index].connections[slot].close()
        viewers[index].session.counts.repeated += 1
        fetch(request, url, index, now, redirects: connection.redirects)
    }

    func broken(_ index: Int, _ slot: Int, _ reason: String, _ now: Int64) {
        viewers[index].connections[slot].close()
        let time = viewers[index].milliseconds(now)
        viewers[index].tell(
            .failed(HLSPlayerRequest.Slot.allCases[slot], .broken(reason)), at: time)
        schedule(index, at: now + 1)
    }
}
