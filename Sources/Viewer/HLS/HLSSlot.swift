/// State of one of a viewer's two connections: idle, or with a request that waits for its retry, or
/// with a request that is under way. Times are ms of the session.
struct HLSSlot {
    private enum State {
        case idle
        case waiting(until: Double)
        case inFlight(since: Double, hasFirstByte: Bool)
    }

    private var state = State.idle
    /// The request that waits or is under way; nil if the slot is idle. The request is stored apart
    /// from the state, so that its deadline is found without a copy of its URL.
    private var request: HLSPlayerRequest?
    /// Limits of the request that is under way.
    private var policy = HLSRetryPolicy.fragment
    /// Number of failures of the latest request at its present server.
    private(set) var failures = 0
    /// Number of times that the viewer has moved to another edge since an edge last responded.
    private(set) var failoversWithoutResponse = 0

    var isIdle: Bool {
        if case .idle = state { true } else { false }
    }

    /// The request that is under way.
    var inFlight: HLSPlayerRequest? {
        if case .inFlight = state { request } else { nil }
    }

    /// Time at which the request that is under way was sent; nil without such a request.
    var sentAt: Double? {
        if case .inFlight(let time, _) = state { time } else { nil }
    }

    /// The request that waits for its retry.
    var waiting: HLSPlayerRequest? {
        if case .waiting = state { request } else { nil }
    }

    /// Time at which the request that is under way counts as failed; infinity without such a
    /// request.
    var deadline: Double {
        guard case .inFlight(let since, let hasFirstByte) = state else { return .infinity }
        let limit = hasFirstByte ? policy.loadLimit : policy.firstByteLimit
        return since + min(limit, policy.loadLimit)
    }

    /// Time of the next work: a request is retried, or has taken too long.
    var nextTime: Double {
        if case .waiting(let time) = state { time } else { deadline }
    }

    // MARK: Events

    mutating func send(_ request: HLSPlayerRequest, at time: Double, isRetry: Bool) {
        precondition(inFlight == nil, "a slot carries one request")
        self.request = request
        policy = .policy(for: request.purpose)
        state = .inFlight(since: time, hasFirstByte: false)
        if !isRetry { failures = 0 }
    }

    mutating func receiveFirstByte() {
        guard case .inFlight(let since, _) = state else { return }
        state = .inFlight(since: since, hasFirstByte: true)
    }

    /// Ends the request that is under way. Returns it with the time at which it was sent.
    mutating func finish() -> (request: HLSPlayerRequest, sentAt: Double)? {
        guard case .inFlight(let since, _) = state, let request else { return nil }
        clear()
        return (request, since)
    }

    /// Notes that an edge has responded.
    mutating func answered() { failoversWithoutResponse = 0 }

    /// Clears the slot, because its request is of no use any more.
    mutating func clear() {
        state = .idle
        request = nil
    }

    mutating func wait(_ request: HLSPlayerRequest, until time: Double) {
        self.request = request
        state = .waiting(until: time)
    }

    /// Returns the request that is due for its retry. The request waits no longer.
    mutating func takeDue(at time: Double) -> HLSPlayerRequest? {
        guard case .waiting(let until) = state, time >= until, let request else { return nil }
        clear()
        return request
    }

    mutating func countFailure() { failures += 1 }

    /// Notes that the request goes to another server, at which it has not failed yet.
    /// - Parameter isFailover: false if the other slot has found that the viewer has to move.
    mutating func move(isFailover: Bool) {
        failures = 0
        if isFailover { failoversWithoutResponse += 1 }
    }
}

/// The two slots of a viewer.
struct HLSSlots {
    private var media = HLSSlot()
    private var playlist = HLSSlot()

    subscript(slot: HLSPlayerRequest.Slot) -> HLSSlot {
        get { slot == .media ? media : playlist }
        _modify { if slot == .media { yield &media } else { yield &playlist } }
    }

    var nextTime: Double { min(media.nextTime, playlist.nextTime) }
}
