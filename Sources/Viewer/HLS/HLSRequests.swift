import HTTPWire

/// The requests of a session: the states of its two slots, the edge to which requests go, and the
/// consequences of responses and failures. Times are ms of the session.
struct HLSRequests {
    /// Meaning of a response or a failure for its request.
    enum Verdict {
        /// The response can be used.
        case isAnswered
        /// The request is made again later, without further action of the session.
        case isTriedAgain
        /// The requested resource cannot be fetched by this request.
        case isRefused
        /// The viewer has to give up, for this reason.
        case isHopeless(String)
    }

    /// Largest number of successive failures of segments before a viewer gives up.
    private static let mostFailures = 8

    /// Number of failures of one request after which it goes to another edge; 0 = never.
    private let failoverAfter: Int
    /// Time until which a viewer waits for a stream that does not exist yet.
    private let patience: Double
    private(set) var edges: HLSEdges
    private var slots = HLSSlots()
    /// Number of requests that finally failed since the last media.
    private var failures = 0
    /// The latest problem that is being retried.
    private(set) var trouble: String?
    var counts = HLSRequestCounts()

    init(_ spec: HLSViewerSpec, _ edges: HLSEdges) {
        failoverAfter = spec.failoverAfter
        patience = spec.patienceMilliseconds
        self.edges = edges
    }

    /// State of a slot.
    subscript(slot: HLSPlayerRequest.Slot) -> HLSSlot { slots[slot] }

    /// Time of the next work: a request is made again, or has taken too long.
    var nextTime: Double { slots.nextTime }

    // MARK: Sending

    /// Puts a request on its slot.
    /// - Returns: the request in the form in which it is sent, to the present edge.
    mutating func send(_ request: HLSPlayerRequest, at time: Double, isRetry: Bool)
        -> HLSPlayerRequest
    {
        var request = request
        request.url = edges.atPresentEdge(request.url)
        slots[request.slot].send(request, at: time, isRetry: isRetry)
        if isRetry { counts.retries += 1 }
        switch request.purpose {
        case .entry, .playlist: counts.playlists += 1
        case .initialization: counts.initializations += 1
        case .segment: counts.segments += 1
        case .part: counts.parts += 1
        }
        return request
    }

    /// Returns the request of a slot that is due to be made again. The request waits no longer.
    mutating func takeDue(_ slot: HLSPlayerRequest.Slot, at time: Double) -> HLSPlayerRequest? {
        slots[slot].takeDue(at: time)
    }

    mutating func wait(_ request: HLSPlayerRequest, until time: Double) {
        slots[request.slot].wait(request, until: time)
    }

    /// Clears a slot, because its request is of no use any more.
    mutating func clear(_ slot: HLSPlayerRequest.Slot) { slots[slot].clear() }

    /// Counts and clears a request for a segment that is given up after `received` body bytes.
    mutating func abandon(_ slot: HLSPlayerRequest.Slot, received: Int) {
        counts.abandoned += 1
        counts.wastedBytes += received
        clear(slot)
    }

    /// Drops the reload of a playlist, because a reload that the server holds back would delay the
    /// switch to another rendition.
    /// - Returns: whether a request that is under way has to be cancelled.
    mutating func dropReload() -> Bool {
        if case .playlist? = slots[.playlist].waiting?.purpose { slots[.playlist].clear() }
        guard case .playlist(_, isBlocking: true)? = slots[.playlist].inFlight?.purpose
        else { return false }
        slots[.playlist].clear()
        return true
    }

    // MARK: Answers

    mutating func receiveFirstByte(_ slot: HLSPlayerRequest.Slot) { slots[slot].receiveFirstByte() }

    /// Ends the request of a slot. Returns the request with the time at which it was sent.
    mutating func finish(_ slot: HLSPlayerRequest.Slot) -> (
        request: HLSPlayerRequest, sentAt: Double
    )? {
        slots[slot].finish()
    }

    /// Judges the status of a response.
    mutating func judge(
        _ response: HLSPlayerResponse, to request: HLSPlayerRequest, at time: Double
    ) -> Verdict {
        let answer = "the server answers \(response.statusText)"
        switch response.status {
        case 200..<300 where request.purpose.isMedia && response.bytes == 0:
            // An empty body cannot be played.
            counts.broken += 1
            return refuse(request, "\(answer) with an empty body", at: time)
        case 200..<300:
            slots[request.slot].answered()
            return .isAnswered
        case 400..<500:
            counts.refused += 1
            if response.status == 404, request.purpose == .entry, time + 1000 < patience {
                trouble = "\(answer) for \(request.url)"
                wait(request, until: time + 1000)
                return .isTriedAgain
            }
            return refuse(request, answer, retryAfter: response.retryAfter, at: time)
        default:
            counts.serverErrors += 1
            return retry(request, afterTimeout: false, answer, at: time)
        }
    }

    /// Notes that media has arrived that can be played.
    mutating func receiveMedia() { failures = 0 }

    /// Handles a playlist without the rendition that the viewer must play.
    /// - Returns: whether the playlist is loaded again, because the rendition may still appear.
    mutating func waitForRendition(_ request: HLSPlayerRequest, at time: Double) -> Bool {
        failures += 1
        guard failures < Self.mostFailures else { return false }
        wait(request, until: time + 1000)
        return true
    }

    // MARK: Failures

    /// Handles a request that brought no response.
    mutating func fail(
        _ request: HLSPlayerRequest, _ fault: HLSFetchFault, at time: Double
    ) -> Verdict {
        switch fault {
        case .timeout:
            counts.timeouts += 1
            return retry(request, afterTimeout: true, "the server does not answer", at: time)
        case .broken(let reason):
            counts.broken += 1
            return retry(request, afterTimeout: false, reason, at: time)
        }
    }

    private mutating func retry(
        _ request: HLSPlayerRequest, afterTimeout: Bool, _ reason: String, at time: Double
    ) -> Verdict {
        let policy = HLSRetryPolicy.policy(for: request.purpose)
        let most = afterTimeout ? policy.retriesAfterTimeout : policy.retriesAfterError
        slots[request.slot].countFailure()
        if movesOn(request, at: time) { return .isTriedAgain }
        let failures = slots[request.slot].failures
        guard failures <= most else { return refuse(request, reason, at: time) }
        trouble = "\(reason) for \(request.url)"
        let delay = HLSRetryPolicy.delay(failures, afterTimeout: afterTimeout)
        wait(request, until: time + delay)
        return .isTriedAgain
    }

    /// Returns whether a failed request goes to another edge at once, and notes the move. hls.js
    /// continues in the same way with a redundant stream.
    private mutating func movesOn(_ request: HLSPlayerRequest, at time: Double) -> Bool {
        let slot = slots[request.slot]
        let alternatives = edges.entries.count - 1
        guard failoverAfter > 0, alternatives > 0 else { return false }
        // A request to an edge other than the present one failed there after the other slot had
        // moved on.
        let isFailover = edges.isAtPresentEdge(request.url)
        if isFailover {
            guard slot.failures >= failoverAfter, edges.isAtAnEdge(request.url),
                slot.failoversWithoutResponse < alternatives
            else { return false }
            edges.moveOn()
            counts.failovers += 1
        }
        slots[request.slot].move(isFailover: isFailover)
        wait(request, until: time)
        return true
    }

    /// Handles a request that is not retried unchanged.
    private mutating func refuse(
        _ request: HLSPlayerRequest, _ reason: String, retryAfter: Int? = nil, at time: Double
    ) -> Verdict {
        failures += 1
        if let retryAfter, failures < Self.mostFailures {
            // The server states that the stream has not started yet.
            trouble = "\(reason) for \(request.url)"
            wait(request, until: time + 1000 * Double(min(max(retryAfter, 1), 10)))
            return .isTriedAgain
        }
        guard failures < Self.mostFailures, request.purpose != .entry else {
            return .isHopeless("\(reason) for \(request.url)")
        }
        return .isRefused
    }
}
