import ABR
import HTTPWire
import SimulationKernel
import Sockets

/// State of one HLS viewer in its loop: the session, its two connections and their transfers. It
/// opens no socket and takes no decision that belongs to the session.
///
/// The viewer is a class and its session is a stored property that is changed in place: a copy of
/// either would count references to dozens of objects for every read.
final class HLSLoopViewer {
    init(session: HLSSessionStateMachine) { self.session = session }

    var session: HLSSessionStateMachine
    /// Actions that the session has requested and the loop has not performed yet.
    private var pending: [HLSAction] = []
    let connections = [HLSPlayerConnection(), HLSPlayerConnection()]
    /// Each viewer has cookies of its own, as a browser has.
    private var cookies = CookieJar()
    var link: SocketLink?
    /// State of a probe; nil before the join, and for a viewer that is not a probe.
    var probe: HLSProbe?
    /// Responses that were read but have not arrived yet; each connection has at most one.
    private var arrivals: [(time: Int64, slot: HLSPlayerRequest.Slot)] = []
    var joinedAt: Int64?
    var endedAt: Int64?
    var failure: String?
    var localPort = 0
    private(set) var receivedBytes = 0
    private(set) var mediaBytes = 0
    /// Number of the bytes of `mediaBytes` that came in parts.
    private var partBytes = 0
    var atWindowStart: Int?
    var atWindowEnd: Int?
    /// By rendition, the bytes of segments and parts that were requested within the window and read
    /// completely.
    private var windowAnswerBytes: [Int: Int] = [:]
    /// Latest time at which the viewer is served next.
    var wakeAt = Int64.max

    /// Time in ns below which a transfer says little about the rate.
    private static let shortTransfer: Int64 = 5_000_000
    private static let fastestBitsPerSecond: Int64 = 10_000_000_000

    /// Whether a connection holds bytes that the link has not carried yet.
    var hasWaitingBytes: Bool { connections.contains { $0.isReading && $0.isReadable } }

    /// Time of the session's next timer apart from judgements, and of its next judgement; ms of the
    /// session.
    var nextCalls: HLSNextCalls { session.nextCalls }

    /// Passes an event to the session. The loop performs the resulting actions later, in
    /// `performCommands`.
    func tell(_ event: HLSEvent, at time: Double) {
        pending += session.handle(event, at: time)
    }

    /// Whether the session has requested actions since the last call of `takePending`.
    var hasPending: Bool { !pending.isEmpty }

    /// Returns the actions that the session has requested since the last call.
    func takePending() -> [HLSAction] {
        defer { pending = [] }
        return pending
    }

    var isPresent: Bool { joinedAt != nil && endedAt == nil }

    func milliseconds(_ time: Int64) -> Double { Double(time - (joinedAt ?? time)) / 1e6 }
    func nanoseconds(_ time: Double) -> Int64 {
        guard time < 1e12 else { return .max }
        return (joinedAt ?? 0) + Int64(clampingNanoseconds: (time * 1e6).rounded(.up))
    }
}

/// Sending and dropping of requests.
extension HLSLoopViewer {
    /// Puts a request on its connection. A connection that leads to another host, or cannot be used
    /// again, is closed.
    /// - Parameter host: index of the URL's host among the loop's hosts.
    func prepare(
        _ request: HLSPlayerRequest, _ url: HTTPURL, host: Int, redirects: HTTPRedirects,
        agent: String,
        at now: Int64
    ) {
        let connection = connections[request.slot.rawValue]
        if connection.host != host || connection.isOpen && !connection.isReusable {
            connection.close()
        }
        connection.request = request
        connection.url = url
        connection.redirects = redirects
        if redirects.count == 0 { connection.requestedAt = now }
        connection.isProbed = probe != nil && request.slot == .media
        if connection.isProbed { probe?.begin() }
        connection.beginAnswer()
        var text = HTTPRequest(url, agent: agent, range: request.range)
        text.acceptsCoding = request.purpose.keepsBody
        text.cookies = cookies.header(for: url, now: Clock.realTimeSeconds())
        connection.text.removeAll(keepingCapacity: true)
        text.append(to: &connection.text)
    }

    /// Gives up the transfer of a slot.
    func cancel(_ slot: HLSPlayerRequest.Slot) {
        connections[slot.rawValue].close()
        arrivals.removeAll { $0.slot == slot }
    }

    /// Gives up all transfers.
    func dropTransfers() {
        arrivals = []
        for connection in connections { connection.close() }
    }

    /// Returns the time of the next work, if no socket becomes ready before.
    func nextWake(_ now: Int64) -> Int64 {
        var time = nanoseconds(min(nextCalls.timer, nextCalls.judgement))
        for arrival in arrivals { time = min(time, arrival.time) }
        for connection in connections {
            if connection.state == .busy, let sendAt = connection.sendAt {
                time = min(time, sendAt)
            }
            guard connection.isReading, connection.isReadable else { continue }
            // A plan holds until a read is made: no byte comes due earlier than it assumes.
            if connection.readAt <= now {
                // A probe takes the times of its reads for those of the bytes.
                let read = link?.nextRead(
                    of: connection.restBytes, at: now, isLazy: !connection.isProbed,
                    waiting: connection.countWaiting(atLeast: SocketLink.lazyRead))
                guard let read else { continue }
                connection.readAt = read
            }
            time = min(time, connection.readAt)
        }
        return time
    }
}

/// Processing of the bytes of responses.
extension HLSLoopViewer {
    /// Result of processing bytes of a response.
    enum Intake {
        /// The response continues.
        case more
        /// The response is complete.
        case whole
        /// The connection cannot be used any more, for this reason.
        case broken(String)
        /// The bytes are not a readable response, for this reason.
        case unreadable(String)
    }

    /// Processes bytes that were read at `now`.
    /// - Parameter bytes: nil if the bytes were discarded unread.
    func take(
        _ bytes: UnsafeRawBufferPointer?, _ count: Int, _ slot: Int, _ now: Int64
    ) -> Intake {
        receivedBytes += count
        // The link's own clock determines when the bytes came; the time of the read does not count.
        let carried = link?.spend(count, at: now) ?? (first: now, last: now)
        let arrival = link?.release(count, at: carried.last) ?? now
        let connection = connections[slot]
        var plain: [UInt8]?
        if let tls = connection.tls, let bytes {
            do {
                plain = try Self.decrypt(tls, bytes, connection)
            } catch {
                return .broken("\(error)")
            }
            // The bytes of the handshake belong to no response.
            if plain?.isEmpty ?? false { return .more }
        }
        let isJudged = slot == HLSPlayerRequest.Slot.media.rawValue && nextCalls.judgement.isFinite
        if connection.firstByteAt == 0 {
            connection.firstByteAt = arrival - (carried.last - carried.first)
            if isJudged { connection.line.note(0, at: connection.firstByteAt) }
            session.responded(HLSPlayerRequest.Slot.allCases[slot])
        }
        connection.lastByteAt = arrival
        var media = 0
        var isWhole = false
        var fault: String?
        if let bytes {
            do {
                let progress = try (plain ?? []).withUnsafeBytes { plaintext in
                    try connection.take(plain == nil ? bytes : plaintext) {
                        probe?.take($0, at: arrival)
                    }
                }
                (media, isWhole) = (progress.media, progress.isWhole)
            } catch {
                fault = "\(error)"
            }
        } else {
            media = count
            isWhole = connection.reader.discarded(count)
        }
        connection.received += media
        if isJudged {
            connection.line.note(connection.received, at: arrival)
            connection.line.forget(before: now)
        }
        if let purpose = connection.purpose, purpose.isMedia, (connection.head?.status ?? 0) < 300 {
            mediaBytes += media
            if case .part = purpose { partBytes += media }
        }
        if let fault { return .unreadable(fault) }
        return isWhole ? .whole : .more
    }

    /// Returns the plain text of bytes that came over TLS. Bytes that TLS itself has to send are
    /// sent.
    private static func decrypt(
        _ tls: TLSStream, _ bytes: UnsafeRawBufferPointer, _ connection: HLSPlayerConnection
    ) throws -> [UInt8] {
        var plain: [UInt8] = []
        try tls.receive(bytes) { plain += $0 }
        try connection.write(tls.outgoing() ?? [])
        return plain
    }

    /// Asks the session whether to give up the segment that is under way.
    func judge(_ now: Int64) {
        let slot = HLSPlayerRequest.Slot.media.rawValue
        let connection = connections[slot]
        // A response that has been read completely is delivered at once.
        guard connection.state != .idle || connection.lastByteAt > now else { return }
        // Bytes that are still delayed by the link have not arrived.
        let arrived = connection.line.bytes(at: now)
        // The length of a redirect's or a refusal's body says nothing of the segment.
        let total = connection.head.flatMap { $0.isSuccess ? $0.contentLength : nil }
        tell(
            .progress(
                .media, received: min(arrived, connection.received), total: total,
                firstByte: milliseconds(connection.firstByteAt)), at: milliseconds(now))
    }
}

/// Processing of complete responses.
extension HLSLoopViewer {
    /// Notes that the last byte was read; the response counts once it has arrived.
    func arrived(_ slot: Int, _ now: Int64, window: Window?) {
        let connection = connections[slot]
        connection.state = .idle
        if connection.purpose?.isMedia ?? false, connection.head?.isSuccess ?? false,
            window?.contains(connection.sentAt) ?? false, let rendition = session.wanted?.rendition
        {
            windowAnswerBytes[rendition, default: 0] += connection.received
        }
        arrivals.append((max(connection.lastByteAt, now), HLSPlayerRequest.Slot.allCases[slot]))
    }

    /// Whether a response that was read has arrived and was not taken yet.
    func hasArrival(at now: Int64) -> Bool { arrivals.contains { $0.time <= now } }

    /// Returns the oldest response that was read, once it has arrived.
    func takeArrival(at now: Int64) -> (time: Int64, slot: HLSPlayerRequest.Slot)? {
        guard let place = arrivals.firstIndex(where: { $0.time <= now }) else { return nil }
        return arrivals.remove(at: place)
    }

    /// Passes a response that arrived at `time` to the session.
    /// - Returns: the URL to request instead, if the response is a redirect.
    func answer(
        _ slot: HLSPlayerRequest.Slot, at time: Int64, window: Window?
    ) -> (request: HLSPlayerRequest, url: HTTPURL, redirects: HTTPRedirects)? {
        let connection = connections[slot.rawValue]
        guard let request = connection.request, let head = connection.head,
            let url = connection.url
        else { return nil }
        if !head.keepsAlive { connection.close() }
        cookies.take(head, from: url, now: Clock.realTimeSeconds())
        let moment = milliseconds(time)
        var redirects = connection.redirects
        do throws(HTTPRedirects.Fault) {
            if let target = try redirects.next(head, from: url) {
                session.counts.redirects += 1
                return (request, target, redirects)
            }
        } catch {
            tell(.failed(slot, .broken("\(error)")), at: moment)
            return nil
        }
        if connection.ignoresRange { session.counts.ignoredRanges += 1 }
        if connection.isProbed, head.isSuccess { probed(request, head, window) }
        let response = HLSPlayerResponse(
            status: head.status, head: head.statusText, body: connection.kept,
            bytes: connection.received, headBytes: head.byteCount, url: url,
            requested: milliseconds(connection.requestedAt),
            firstByte: milliseconds(firstByte(connection)),
            lastByte: milliseconds(connection.lastByteAt),
            retryAfter: head.retryAfter(now: Clock.realTimeSeconds()))
        tell(.finished(slot, response), at: moment)
        return nil
    }

    /// Hands a complete body to the probe, if the session uses the response.
    private func probed(
        _ request: HLSPlayerRequest, _ head: HTTPResponseHead, _ window: Window?
    ) {
        guard let (segment, rendition) = session.wanted else { return }
        guard request.purpose.isMedia else {
            probe?.initialization(of: rendition)
            return
        }
        let sequence = session.presentation.alignment.sequence(segment, rendition: rendition)
        probe?.media(
            .init(rendition: rendition, sequence: sequence, publishedNanoseconds: head.published),
            window: window)
    }

    /// Time of a response's first byte. Without a link, a response that was read at once is assumed
    /// to have taken as long as on a fast network.
    private func firstByte(_ connection: HLSPlayerConnection) -> Int64 {
        guard link == nil,
            connection.lastByteAt - connection.firstByteAt < Self.shortTransfer
        else { return connection.firstByteAt }
        let time = Self.shortestTransfer(of: connection.received)
        return max(
            connection.requestedAt, min(connection.firstByteAt, connection.lastByteAt - time))
    }

    /// Time in ns that `bytes` bytes take on a fast network.
    static func shortestTransfer(of bytes: Int) -> Int64 {
        Int64(clamping: Int128(bytes) * 8_000_000_000 / Int128(fastestBitsPerSecond))
    }
}

/// End of the viewer, and its report.
extension HLSLoopViewer {
    func stop(_ now: Int64) {
        let connection = connections[HLSPlayerRequest.Slot.media.rawValue]
        let isBegun = connection.firstByteAt > 0
        let isAnswer = isBegun && connection.head?.isSuccess ?? false
        session.stop(
            at: milliseconds(now), received: isAnswer ? connection.received : 0,
            total: isAnswer ? connection.head?.contentLength : nil,
            firstByte: isBegun ? milliseconds(min(now, connection.firstByteAt)) : .nan)
    }

    var report: HLSViewerReport {
        var report = HLSViewerReport(index: session.spec.index)
        report.localPort = localPort
        report.askedAtNanoseconds = joinedAt
        report.startupNanoseconds = session.startup.map { Int64($0 * 1e6) }
        report.endedAtNanoseconds = endedAt
        report.failure = failure
        report.trouble = session.startup == nil ? session.trouble : nil
        report.mediaBytes = mediaBytes
        report.partBytes = partBytes
        report.receivedBytes = receivedBytes
        // A viewer that joined after the window began counts from its join; one that left before it
        // counts 0.
        if let end = atWindowEnd ?? (atWindowStart == nil ? nil : mediaBytes) {
            report.windowMediaBytes = end - (atWindowStart ?? 0)
        }
        report.isLive = session.isLive
        report.bitrates = session.renditions.map(\.bitrate)
        report.renditionNames = session.renditions.map(\.name)
        report.windowAnswerBytes = session.renditions.indices.map { windowAnswerBytes[$0] ?? 0 }
        if let player = session.player {
            report.playback = HLSPlaybackReport(
                player.account, player.title, isLive: player.state.isLive,
                knowsBitrates: session.renditions.allSatisfy(\.isBitrateKnown))
        }
        report.live = joinedAt.flatMap { session.liveFacts(joinedAt: $0) }
        report.requests = session.counts
        report.segments = session.records
        report.probe = probe?.report
        report.modelledStalls = link?.stalls
        report.modelledStallNanoseconds = link?.stalledNanoseconds
        return report
    }
}

extension HTTPResponseHead {
    /// Time at which an embedded origin published the resource, in ns of CLOCK_MONOTONIC of the
    /// origin; nil if it is not stated, or is no time of that clock.
    fileprivate var published: Int64? {
        first("millrace-published").flatMap { Int64($0) }.flatMap { $0 >= 0 ? $0 : nil }
    }
}
