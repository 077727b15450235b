import HTTPWire

@testable import Viewer

extension HLSSessionStateMachine {
    /// Time of the next call that the session has noted for its driver.
    var nextTime: Double { min(nextCalls.timer, nextCalls.judgement) }
}

extension HLSPlayerRequest {
    /// The URL as text.
    var address: String { url.description }
}

/// A server and a link in virtual time, for sessions: answers come at a constant rate, one at a time
/// on each connection.
struct VirtualOrigin {
    struct Answer {
        var status = 200
        var body = ""
        /// Of a body that is not kept.
        var bytes = 0
        /// Until when the server holds the answer back (ms).
        var heldUntil = 0.0
        var isBroken = false
        var never = false
        var retryAfter: Int?
        /// Where a redirect has led.
        var location: String?
    }

    /// What the server says at a moment (ms).
    var answer: (HLSPlayerRequest, Double) -> Answer
    /// kbit/s, and ms from the request to the first byte.
    var rate = 8000.0
    var latency = 10.0
    private(set) var log: [(time: Double, request: HLSPlayerRequest)] = []
    private(set) var ended: (time: Double, reason: String?)?

    init(_ answer: @escaping (HLSPlayerRequest, Double) -> Answer) { self.answer = answer }

    private struct Transfer {
        var request: HLSPlayerRequest
        var answer: Answer
        var requested: Double
        var firstByte: Double
        var done: Double
        var size: Int
    }

    /// Plays a session from its join until `end` (ms); it is stopped then.
    mutating func play(_ session: inout HLSSessionStateMachine, until end: Double) {
        var transfers: [Transfer?] = [nil, nil]
        var now = 0.0
        var actions = session.handle(.start, at: 0)
        for _ in 0..<200_000 {
            for action in actions {
                switch action {
                case .cancel(let slot): transfers[slot.rawValue] = nil
                case .end(let reason):
                    ended = (now, reason)
                    return
                case .fetch(let request):
                    log.append((now, request))
                    let answer = answer(request, now)
                    let size = request.purpose.keepsBody ? answer.body.utf8.count : answer.bytes
                    let first = answer.never ? .infinity : max(now + latency, answer.heldUntil)
                    transfers[request.slot.rawValue] = Transfer(
                        request: request, answer: answer, requested: now, firstByte: first,
                        done: first + Double(size) * 8 / rate, size: size)
                }
            }
            actions = []
            var next = min(session.nextTime, end)
            for transfer in transfers { next = min(next, transfer?.done ?? .infinity) }
            now = max(now, next)
            guard now < end else { break }
            for slot in HLSPlayerRequest.Slot.allCases {
                guard let transfer = transfers[slot.rawValue] else { continue }
                if transfer.firstByte <= now { session.responded(slot) }
                if slot == .media, transfer.done > now, session.nextCalls.judgement <= now {
                    let left = Int((transfer.done - now) * rate / 8)
                    actions += session.handle(
                        .progress(
                            slot, received: max(0, transfer.size - left),
                            total: transfer.firstByte <= now ? transfer.size : nil,
                            firstByte: transfer.firstByte), at: now)
                }
                guard transfer.done <= now else { continue }
                transfers[slot.rawValue] = nil
                if transfer.answer.isBroken {
                    actions += session.handle(.failed(slot, .broken("reset")), at: now)
                } else {
                    actions += session.handle(
                        .finished(
                            slot,
                            HLSPlayerResponse(
                                status: transfer.answer.status,
                                body: Array(transfer.answer.body.utf8),
                                bytes: transfer.size,
                                url: transfer.answer.location.flatMap { try? HTTPURL($0) }
                                    ?? transfer.request.url,
                                requested: transfer.requested, firstByte: transfer.firstByte,
                                lastByte: transfer.done, retryAfter: transfer.answer.retryAfter)),
                        at: now)
                }
            }
            if session.nextCalls.timer <= now { actions += session.handle(.timer, at: now) }
        }
        guard let cut = transfers[HLSPlayerRequest.Slot.media.rawValue], cut.firstByte <= end else {
            return session.stop(at: end)
        }
        session.stop(
            at: end, received: cut.size - Int(((cut.done - end) * rate / 8).rounded(.up)),
            total: cut.size, firstByte: cut.firstByte)
    }

    /// Times of the requests whose URL ends so (without its query).
    func times(_ suffix: String) -> [Double] {
        log.filter { $0.request.url.path.hasSuffix(suffix) }.map(\.time)
    }

    /// The last path component of each request's URL, in order.
    var names: [String] {
        log.map { String($0.request.url.path.split(separator: "/").last ?? "") }
    }
}
