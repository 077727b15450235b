import Glibc
import HTTPWire
import Sockets

/// Answers of an HLS loop's viewers: what came of requests.
extension HLSLoop {
    /// The last byte is read; the answer counts once it has arrived.
    func arrived(_ index: Int, _ slot: Int, _ now: Int64) {
        viewers[index].connections[slot].state = .idle
        let connection = viewers[index].connections[slot]
        if connection.request?.purpose.isMedia ?? false, connection.head?.isSuccess ?? false,
            window?.contains(connection.sentAt) ?? false,
            let rung = viewers[index].session.wanted?.rung
        {
            viewers[index].windowAnswerBytes[rung, default: 0] += connection.received
        }
        let time = connection.lastByteAt
        viewers[index].arrivals.append((max(time, now), HLSPlayerRequest.Slot.allCases[slot]))
    }

    func deliver(_ index: Int, _ now: Int64) {
        while let place = viewers[index].arrivals.firstIndex(where: { $0.time <= now }) {
            let (time, slot) = viewers[index].arrivals.remove(at: place)
            answer(index, slot, time, now)
            // At once: what it makes the session drop must not be taken for the answer to what comes.
            _ = obey(index, now)
            guard viewers[index].isPresent else { return }
        }
    }

    private func answer(_ index: Int, _ slot: HLSPlayerRequest.Slot, _ time: Int64, _ now: Int64) {
        let connection = viewers[index].connections[slot.rawValue]
        guard let request = connection.request, let head = connection.head,
            let url = connection.url
        else { return }
        if !head.keepsAlive { viewers[index].connections[slot.rawValue].close() }
        viewers[index].cookies.take(head, from: url, now: Clock.realTimeSeconds())
        var redirects = connection.redirects
        do throws(HTTPRedirects.Fault) {
            if let target = try redirects.next(head, from: url) {
                viewers[index].session.redirected()
                return fetch(request, target, index, now, redirects: redirects)
            }
        } catch {
            let time = viewers[index].milliseconds(time)
            return viewers[index].tell { $0.failed(slot, .broken("\(error)"), at: time) }
        }
        if connection.ignoresRange { viewers[index].session.counts.ignoredRanges += 1 }
        if connection.isProbed, head.isSuccess { probe(request, head, index) }
        let firstByteAt = firstByte(index, connection)
        let viewer = viewers[index]
        let response = HLSPlayerResponse(
            status: head.status, head: head.statusText, body: connection.kept,
            bytes: connection.received, headBytes: head.byteCount, url: url,
            requested: viewer.milliseconds(connection.requestedAt),
            firstByte: viewer.milliseconds(firstByteAt),
            retryAfter: head.retryAfter(now: Clock.realTimeSeconds()))
        viewers[index].tell { $0.finished(slot, response, at: viewer.milliseconds(time)) }
    }

    /// A probe has a whole body: of what its session wants.
    private func probe(
        _ request: HLSPlayerRequest, _ head: HTTPResponseHead, _ index: Int
    ) {
        guard let (segment, rung) = viewers[index].session.wanted else { return }
        guard request.purpose.isMedia else {
            viewers[index].probe?.initialization(of: rung)
            return
        }
        let sequence = viewers[index].session.presentation.alignment.sequence(
            segment, rendition: rung)
        viewers[index].probe?.media(
            .init(rung: rung, sequence: sequence, publishedNanoseconds: head.published),
            window: window)
    }

    /// When an answer's first byte came. Where no link tells, one that was read at once took as long
    /// as a fast network would.
    private func firstByte(_ index: Int, _ connection: HLSPlayerConnection) -> Int64 {
        guard viewers[index].link == nil,
            connection.lastByteAt - connection.firstByteAt < Self.shortTransfer
        else { return connection.firstByteAt }
        let time = Int64(connection.received) * 8 * 1_000_000_000 / Self.fastestBitsPerSecond
        return max(
            connection.requestedAt, min(connection.firstByteAt, connection.lastByteAt - time))
    }

    /// Transfers shorter than this say little of the rate, ns.
    private static let shortTransfer: Int64 = 5_000_000
    private static let fastestBitsPerSecond: Int64 = 10_000_000_000

    func judge(_ index: Int, _ now: Int64) {
        let viewer = viewers[index]
        let slot = HLSPlayerRequest.Slot.media.rawValue
        let connection = viewer.connections[slot]
        // All there: it is delivered at once.
        guard connection.state != .idle || connection.lastByteAt > now else { return }
        // Bytes on their way are not there yet.
        let arrived = viewers[index].connections[slot].line.bytes(at: now)
        viewers[index].tell {
            $0.progress(
                .media, received: min(arrived, connection.received),
                total: connection.head.flatMap(\.contentLength),
                firstByte: viewer.milliseconds(connection.firstByteAt),
                at: viewer.milliseconds(now))
        }
    }

    func closedByPeer(_ index: Int, _ slot: Int, _ code: Int32, _ now: Int64) {
        do throws(HTTPResponseReader.Fault) {
            if try viewers[index].connections[slot].closedByPeer() {
                arrived(index, slot, now)
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
        viewers[index].tell {
            $0.failed(HLSPlayerRequest.Slot.allCases[slot], .broken(reason), at: time)
        }
        schedule(index, at: now + 1)
    }
}

extension HTTPResponseHead {
    /// When an embedded origin published the resource: its CLOCK_MONOTONIC, ns.
    fileprivate var published: Int64? { first("millrace-published").flatMap { Int64($0) } }
}
