public import Netem
import SimulationKernel

/// A simulation of viewers that share links, with one event queue of virtual time.
public struct SharedSimulation: Sendable {
    /// Viewers with the same kind of access.
    public struct Audience: Sendable {
        public enum Access: Sendable {
            /// All viewers are behind one link.
            case shared(RateSchedule)
            /// Each viewer is behind a link of its own; the links are equal.
            case each(RateSchedule)
            /// Only the origin limits the viewers.
            case unlimited
        }

        public var access: Access
        /// Round trip of a request (ms).
        public var roundTrip: Double

        public init(access: Access, roundTrip: Double) {
            self.access = access
            self.roundTrip = roundTrip
        }
    }

    private enum Event: Sendable {
        case arrive, firstByte, timer, available, judge(request: UInt32), leave
    }

    private struct Viewer {
        var player: Player
        var audience: Int
        var bits = 0.0
        var wastedBits = 0.0
        var abandoned = 0
        var end: Double
        var segment = 0
        var rendition = 0
        /// Number of the latest request, by which events of older requests are recognized.
        var request: UInt32 = 0
        var requested = 0.0
        var firstByte = 0.0
        var lastUsed = -Double.infinity
        var window = 0.0
        var hasLeft = false
    }

    private let title: Title
    private let timeline: LiveTimeline?
    private let tcp: TCPModel?
    private let audiences: [Audience]
    private let arrivals: [Double]
    private let weights: [Double]
    private var viewers: [Viewer] = []
    private var network: FairShareNetwork
    private var queue = EventQueue<(viewer: Int32, event: Event)>()
    private let interval: Double
    private let records: Bool
    /// Buffer levels at the requests (ms); empty if no records are kept.
    private var requestBuffers: [Double] = []
    public private(set) var segments: [SegmentRecord] = []

    /// - Parameters:
    ///   - viewers: viewers of one title, with their audience's index; their `link` is not used.
    ///   - origin: limit of all viewers together; nil = none.
    ///   - progressInterval: interval at which a download is judged for abandonment (ms). The
    ///     default is longer than `Player.judgementInterval`: each judgement is an event of its own
    ///     here, and another interval would change the results of every scenario with shared links.
    public init(
        _ viewers: [(viewer: SimulatedViewer, audience: Int)], audiences: [Audience],
        origin: RateSchedule?, timeline: LiveTimeline? = nil, tcp: TCPModel? = nil,
        progressInterval: Double = 250, records: Bool = false
    ) throws(PlayerConfigurationError) {
        guard let first = viewers.first else {
            throw PlayerConfigurationError(reason: "a simulation needs a viewer")
        }
        guard viewers.allSatisfy({ $0.viewer.title === first.viewer.title }) else {
            throw PlayerConfigurationError(reason: "viewers of one simulation share one title")
        }
        guard timeline?.effectiveParts ?? 1 == 1 else {
            throw PlayerConfigurationError(
                reason: "viewers on shared links get whole segments: CMAF chunks and LL-HLS parts "
                    + "are simulated for viewers with a link of their own")
        }
        title = first.viewer.title
        self.timeline = timeline
        self.tcp = tcp
        self.audiences = audiences
        self.records = records
        interval = progressInterval
        if records { requestBuffers = Array(repeating: 0, count: viewers.count) }
        arrivals = viewers.map(\.viewer.arrival)
        weights = viewers.map(\.viewer.weight)
        network = FairShareNetwork(
            origin: origin,
            audiences: audiences.map {
                switch $0.access {
                case .shared(let schedule): .shared(schedule)
                case .each(let schedule): .each(schedule)
                case .unlimited: .none
                }
            }, viewers: viewers.count)
        self.viewers.reserveCapacity(viewers.count)
        var settings: [PlayerConfiguration: PlayerSettings] = [:]
        for (viewer, audience) in viewers {
            guard (timeline == nil) == (viewer.player.live == nil),
                timeline == nil || viewer.watchTime.isFinite
            else {
                throw PlayerConfigurationError(
                    reason: "a live player needs a live timeline and a watch time, a VOD player "
                        + "no timeline")
            }
            let shared: PlayerSettings
            if let known = settings[viewer.player] {
                shared = known
            } else {
                shared = try PlayerSettings(viewer.player, title)
                settings[viewer.player] = shared
            }
            self.viewers.append(
                Viewer(
                    player: viewer.makePlayer(shared), audience: audience,
                    end: viewer.arrival + viewer.watchTime))
        }
    }

    /// Number of events between two checks of the cancellation.
    private static let eventsBetweenLooks = 4096

    /// Runs all sessions to their ends.
    /// - Parameter isCancelled: called repeatedly.
    /// - Returns: the sessions in the order of the viewers; nil if the run was cancelled.
    public mutating func run(isCancelled: () -> Bool) -> [SimulatedSession]? {
        begin()
        while !isCancelled() {
            for _ in 0..<Self.eventsBetweenLooks where !step() { return sessions }
        }
        return nil
    }

    /// Runs all sessions to their ends. Returns them in the order of the viewers.
    public mutating func run() -> [SimulatedSession] {
        begin()
        while step() {}
        return sessions
    }

    private mutating func begin() {
        for index in viewers.indices {
            queue.insert((Int32(index), .arrive), at: joinTime(index))
            if viewers[index].end.isFinite {
                queue.insert((Int32(index), .leave), at: viewers[index].end)
            }
        }
    }

    /// Handles the next event.
    /// - Returns: false if there is none.
    private mutating func step() -> Bool {
        let ofNetwork = network.nextEvent()
        let ofQueue = queue.nextTime
        let time = min(ofNetwork, ofQueue)
        guard time < .infinity else { return false }
        while let viewer = network.advance(to: time) { complete(viewer, at: time) }
        if ofQueue <= time, let next = queue.popFirst() {
            handle(next.payload.event, Int(next.payload.viewer), at: time)
        }
        return true
    }

    private var sessions: [SimulatedSession] {
        viewers.map { viewer in
            SimulatedSession(
                account: viewer.player.account, bits: viewer.bits, wastedBits: viewer.wastedBits,
                abandoned: viewer.abandoned, decisions: viewer.player.decisions)
        }
    }

    private func joinTime(_ index: Int) -> Double {
        guard let timeline else { return arrivals[index] }
        return max(
            arrivals[index], timeline.requestable(0, duration: title.segmentDuration))
    }

    // MARK: Events

    private mutating func handle(_ event: Event, _ index: Int, at time: Double) {
        guard !viewers[index].hasLeft else { return }
        switch event {
        case .arrive:
            let latest = timeline?.latest(at: time, duration: title.segmentDuration)
            perform(
                viewers[index].player.start(
                    at: time, epoch: timeline?.epoch ?? 0, latest: latest), index, at: time)
        case .firstByte: startTransfer(index, at: time)
        case .timer: perform(viewers[index].player.timer(at: time), index, at: time)
        case .available:
            let latest = timeline?.latest(at: time, duration: title.segmentDuration) ?? 0
            perform(
                viewers[index].player.available(latest: latest, at: time), index, at: time)
        case .judge(let request): judge(index, request, at: time)
        case .leave: leave(index, at: time)
        }
    }

    private mutating func leave(_ index: Int, at time: Double) {
        network.cancel(index, audience: viewers[index].audience)
        viewers[index].player.stop(at: time)
        viewers[index].hasLeft = true
    }

    private mutating func perform(_ action: Player.Action, _ index: Int, at time: Double) {
        switch action {
        case .request(let segment, let rendition):
            viewers[index].segment = segment
            viewers[index].rendition = rendition
            viewers[index].request &+= 1
            viewers[index].requested = time
            if records { requestBuffers[index] = viewers[index].player.bufferLevel }
            let delay = audiences[viewers[index].audience].roundTrip + slowStart(index, at: time)
            if delay > 0 {
                queue.insert((Int32(index), .firstByte), at: time + delay)
            } else {
                startTransfer(index, at: time)
            }
        case .wait(let until):
            queue.insert((Int32(index), .timer), at: max(time, until))
        case .awaitSegment(let segment):
            let exists =
                timeline?.requestable(segment, duration: title.segmentDuration) ?? time
            queue.insert((Int32(index), .available), at: max(time, exists))
        case .finished:
            // A viewer that has seen the title to its end leaves; an event of a later departure is
            // ignored.
            let rest = viewers[index].player.bufferLevel / viewers[index].player.playbackRate
            queue.insert((Int32(index), .leave), at: time + rest)
        }
    }

    private mutating func startTransfer(_ index: Int, at time: Double) {
        viewers[index].firstByte = time
        network.start(
            index, audience: viewers[index].audience,
            bits: title.size(segment: viewers[index].segment, rendition: viewers[index].rendition),
            weight: weights[index])
        if viewers[index].player.checksAbandonment {
            queue.insert(
                (Int32(index), .judge(request: viewers[index].request)), at: time + interval)
        }
    }

    private mutating func complete(_ index: Int, at time: Double) {
        let bits = title.size(segment: viewers[index].segment, rendition: viewers[index].rendition)
        let estimate = records ? viewers[index].player.state.throughput : 0
        let requested = viewers[index].requested
        let firstByte = viewers[index].firstByte
        viewers[index].bits += bits
        viewers[index].lastUsed = time
        let action = viewers[index].player.completed(
            bits: bits, transferTime: time - firstByte, timeToFirstByte: firstByte - requested,
            elapsed: time - requested, at: time)
        record(index, bits, at: time, estimate, abandonedFor: nil)
        perform(action, index, at: time)
    }

    private mutating func judge(_ index: Int, _ request: UInt32, at time: Double) {
        guard viewers[index].request == request, network.isActive(index) else { return }
        let audience = viewers[index].audience
        let size = title.size(segment: viewers[index].segment, rendition: viewers[index].rendition)
        let progress = DownloadProgress(
            segment: viewers[index].segment, rendition: viewers[index].rendition, size: size,
            downloaded: max(0, size - network.remaining(index, audience: audience)),
            elapsed: time - viewers[index].requested,
            timeToFirstByte: viewers[index].firstByte - viewers[index].requested)
        guard let rendition = viewers[index].player.progress(progress, at: time) else {
            queue.insert((Int32(index), .judge(request: request)), at: time + interval)
            return
        }
        network.cancel(index, audience: audience)
        viewers[index].bits += progress.downloaded
        viewers[index].wastedBits += progress.downloaded
        viewers[index].abandoned += 1
        viewers[index].lastUsed = time
        record(
            index, progress.downloaded, at: time, viewers[index].player.state.throughput,
            abandonedFor: rendition)
        perform(
            viewers[index].player.abandoned(progress, for: rendition, at: time), index, at: time)
    }

    private mutating func record(
        _ index: Int, _ bits: Double, at time: Double, _ estimate: Double,
        abandonedFor rendition: Int?
    ) {
        guard records else { return }
        let viewer = viewers[index]
        segments.append(
            SegmentRecord(
                viewer: index, segment: viewer.segment, rendition: viewer.rendition,
                requested: viewer.requested, timeToFirstByte: viewer.firstByte - viewer.requested,
                transferTime: time - viewer.firstByte, bits: bits,
                bufferBefore: requestBuffers[index],
                bufferAfter: viewer.player.bufferLevel, estimate: estimate, abandonedFor: rendition)
        )
    }

    /// Returns the additional time of TCP's slow start compared with a fluid flow at its present
    /// share (ms): the round trips in which the window is below the share, less the time for the
    /// data that they carry.
    private mutating func slowStart(_ index: Int, at time: Double) -> Double {
        guard let tcp else { return 0 }
        let audience = viewers[index].audience
        let roundTrip = audiences[audience].roundTrip
        guard roundTrip > 0 else { return 0 }
        let idle = time - viewers[index].lastUsed
        if viewers[index].window == 0
            || (tcp.slowStartAfterIdle && idle > max(tcp.idleTimeout, 2 * roundTrip))
        {
            viewers[index].window = tcp.initialWindow
        }
        let share = network.share(audience, weight: weights[index])
        guard share > 0, share < .infinity else { return 0 }
        var left = title.size(segment: viewers[index].segment, rendition: viewers[index].rendition)
        var delay = 0.0
        while viewers[index].window < min(share * roundTrip, left) {
            delay += roundTrip - viewers[index].window / share
            left -= viewers[index].window
            viewers[index].window *= 2
        }
        return delay
    }
}
