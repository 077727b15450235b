// How the simulator works. A viewer alone on its link needs no events: a download's end follows
// from the rate schedule, and the player is called from one request to the next. Viewers that share
// links have one event queue; inside an audience all flows progress equally per unit of weight, so
// a flow ends when one clock of service reaches its tag. Cells of a matrix run on several threads
// and are written in order.

import Netem

/// A simulation of a viewer alone on its link, in virtual time. It has no event queue and goes from
/// one request to the next.
public struct SoloSimulation: Sendable {
    public let viewer: SimulatedViewer
    public let timeline: LiveTimeline?
    public let tcp: TCPModel?

    private var player: Player
    private var session = SimulatedSession(account: QoEAccount())
    private var cursor = RateSchedule.Cursor()
    /// Cursor that follows the times at which a download is judged; `cursor` is ahead of it then.
    private var judgingCursor = RateSchedule.Cursor()
    /// Congestion window (bits), and the time at which the connection was last used (ms).
    private var window = 0.0
    private var lastUsed = -Double.infinity
    /// Playlists of a viewer that learns of segments by playlists, once it has the first one. Such
    /// a viewer fetches media over a connection that takes a round trip to open, and closes it to
    /// give a download up.
    private var playlists: PlaylistClient?
    private var isConnected = false
    /// Renditions whose initialization section has been fetched.
    private var initialized: Set<Int> = []
    private let records: Bool
    private var headBits: Double { playlists?.settings.headBits ?? 0 }
    public private(set) var segments: [SegmentRecord] = []
    private let index: Int

    /// - Parameters:
    ///   - index: index of the viewer, for its records.
    ///   - records: whether `segments` is kept.
    public init(
        _ viewer: SimulatedViewer, index: Int = 0, timeline: LiveTimeline? = nil,
        tcp: TCPModel? = nil, records: Bool = false
    ) throws(PlayerConfigurationError) {
        guard (timeline == nil) == (viewer.player.live == nil) else {
            throw PlayerConfigurationError(
                reason: "a live player needs a live timeline, a VOD player none")
        }
        self.viewer = viewer
        self.timeline = timeline
        self.tcp = tcp
        self.records = records
        self.index = index
        player = viewer.makePlayer(try PlayerSettings(viewer.player, viewer.title))
    }

    /// - Returns: the session up to the title's end or the viewer's departure.
    public mutating func run() -> SimulatedSession {
        var now = viewer.arrival
        let end = viewer.arrival + viewer.watchTime
        precondition(
            timeline == nil || end.isFinite, "a live session needs a watch time")
        var departure = end
        var action: Player.Action
        if let timeline {
            // Viewers cannot join before the first segment exists.
            now = max(now, timeline.requestable(0, duration: viewer.title.segmentDuration))
            guard now < end else { return session }
            playlists = timeline.playlists.map { PlaylistClient($0, timeline, viewer, at: now) }
            action = player.start(
                at: now, epoch: timeline.epoch,
                latest: playlists?.newest
                    ?? timeline.latest(at: now, duration: viewer.title.segmentDuration))
            // A viewer of one rendition does not load another rendition's playlist first.
            if case .fixed = viewer.algorithm, case .request(_, let rendition) = action {
                playlists = timeline.playlists.map {
                    PlaylistClient($0, timeline, viewer, rendition: rendition, at: now)
                }
            }
        } else {
            action = player.start(at: now)
        }
        loop: while now < end {
            switch action {
            case .request(let segment, let rendition):
                guard let (next, time) = fetch(segment, rendition, from: now, until: end) else {
                    now = end
                    break loop
                }
                action = next
                now = time
            case .wait(let until):
                guard until < end else { break loop }
                now = until
                action = player.timer(at: now)
            case .awaitSegment(let segment):
                let time = heard(of: segment, from: now, until: end)
                guard time < end else { break loop }
                now = time
                let latest =
                    playlists?.newest
                    ?? timeline?.latest(at: now, duration: viewer.title.segmentDuration)
                // The segment that was announced exists, whatever the rounding gives.
                action = player.available(latest: max(latest ?? segment, segment), at: now)
            case .finished:
                // A viewer that has seen the title to its end leaves.
                departure = min(end, now + player.bufferLevel / player.playbackRate)
                break loop
            }
        }
        player.stop(at: departure.isFinite ? departure : now)
        session.account = player.account
        session.decisions = player.decisions
        return session
    }

    // MARK: Transfers

    /// Downloads a segment.
    /// - Returns: the player's next action and its time; nil if the viewer left before.
    private mutating func fetch(
        _ segment: Int, _ rendition: Int, from start: Double, until end: Double
    )
        -> (Player.Action, Double)?
    {
        let bits = viewer.title.size(segment: segment, rendition: rendition)
        let start = prepare(segment, rendition, from: start, until: end)
        guard start < end else { return nil }
        let roundTrip = connectingRoundTrip(at: start)
        let bufferBefore = records ? player.bufferLevel : 0
        let estimate = records ? player.state.throughput : 0
        let before = playlists
        var now = firstByte(start + roundTrip)
        guard now < end else { return nil }
        var timeToFirstByte = playlists == nil ? roundTrip : now - start
        var transferTime = 0.0
        prepareWindow(start, roundTrip)
        if let timeline, timeline.effectiveParts > 1 {
            guard
                let live = fetchParts(
                    segment, bits, timeline, from: start, roundTrip: roundTrip, until: end)
            else { return nil }
            (now, transferTime, timeToFirstByte) = live
        } else {
            let done = transferBesidePlaylists(
                bits + headBits, from: now, roundTrip, until: end)
            if player.checksAbandonment, done - start > Player.judgementInterval,
                let given = judge(
                    segment, rendition, bits, from: start, first: now, done: done, until: end)
            {
                note(
                    segment, rendition, start, timeToFirstByte, given.time - now, given.bits,
                    bufferBefore, estimate, abandonedFor: given.rendition)
                session.abandoned += 1
                session.wastedBits += given.bits
                let action = player.abandoned(
                    DownloadProgress(
                        segment: segment, rendition: rendition, size: bits, downloaded: given.bits,
                        elapsed: given.time - start, timeToFirstByte: timeToFirstByte),
                    for: given.rendition, at: given.time)
                lastUsed = given.time
                // The loads that the transfer computed in advance have not happened yet.
                playlists = before
                isConnected = false
                return (action, given.time)
            }
            transferTime = done - now
            now = done
        }
        guard now < end else { return nil }
        lastUsed = now
        let action = player.completed(
            bits: bits, transferTime: transferTime, timeToFirstByte: timeToFirstByte,
            elapsed: now - start, at: now)
        note(
            segment, rendition, start, timeToFirstByte, transferTime, bits, bufferBefore, estimate,
            abandonedFor: nil)
        return (action, now)
    }

    /// Returns the time at which a viewer that waits from `now` on learns of `segment`.
    private mutating func heard(of segment: Int, from now: Double, until end: Double) -> Double {
        if playlists != nil {
            return playlists?.timeListed(segment, from: now, until: end) ?? now
        }
        let duration = viewer.title.segmentDuration
        return max(now, timeline?.requestable(segment, duration: duration) ?? now)
    }

    /// Makes a segment ready for its request: a playlist lists it, and its rendition's
    /// initialization section has been fetched.
    /// - Returns: the time at which the segment can be requested.
    private mutating func prepare(
        _ segment: Int, _ rendition: Int, from start: Double, until end: Double
    ) -> Double {
        guard
            let time = playlists?.lists(segment, rendition: rendition, from: start, until: end),
            time < end
        else { return playlists == nil ? start : end }
        playlists?.forget(before: time)
        guard let bits = playlists?.settings.initializationBits,
            initialized.insert(rendition).inserted
        else { return time }
        let roundTrip = connectingRoundTrip(at: time)
        let first = firstByte(time + roundTrip)
        return first < end
            ? transferBesidePlaylists(bits + headBits, from: first, roundTrip, until: end) : end
    }

    /// Returns the time from a request until its response's first byte, including the opening of
    /// the connection (ms).
    private mutating func connectingRoundTrip(at time: Double) -> Double {
        let roundTrip = 2000 * cursor.delaySeconds(at: time / 1000, in: viewer.link)
        defer { isConnected = true }
        return playlists == nil || isConnected ? roundTrip : 2 * roundTrip
    }

    private static let byte = 8.0

    /// Returns the arrival of the first byte of a response that could arrive at `time`. For viewers
    /// on sockets an outage, or a playlist that is transferred first, delays the response.
    /// Published simulators do not model this.
    private mutating func firstByte(_ time: Double) -> Double {
        guard let free = playlists?.free(from: time), free.isFinite else { return time }
        return cursor.seconds(toMove: Self.byte, from: free / 1000, in: viewer.link) * 1000
    }

    /// Returns the time at which `bits` have arrived over a link that also carries playlists. If
    /// the time is `end` or later, its exact value does not matter.
    private mutating func transferBesidePlaylists(
        _ bits: Double, from first: Double, _ roundTrip: Double, until end: Double
    ) -> Double {
        guard playlists != nil else { return transfer(bits, from: first, roundTrip) }
        var done = transfer(bits - Self.byte, from: first, roundTrip)
        var shared = 0.0
        while done < end {
            playlists?.run(to: done)
            let taken = playlists?.bits(from: first, until: done) ?? 0
            guard taken > shared else { break }
            done = transfer(taken - shared, from: done, 0)
            shared = taken
        }
        return done
    }

    private mutating func note(
        _ segment: Int, _ rendition: Int, _ start: Double, _ timeToFirstByte: Double,
        _ transferTime: Double, _ bits: Double, _ bufferBefore: Double, _ estimate: Double,
        abandonedFor: Int?
    ) {
        session.bits += bits
        guard records else { return }
        segments.append(
            SegmentRecord(
                viewer: index, segment: segment, rendition: rendition, requested: start,
                timeToFirstByte: timeToFirstByte, transferTime: transferTime, bits: bits,
                bufferBefore: bufferBefore, bufferAfter: player.bufferLevel, estimate: estimate,
                abandonedFor: abandonedFor))
    }

    /// Asks the player every `Player.judgementInterval` whether to continue.
    private mutating func judge(
        _ segment: Int, _ rendition: Int, _ bits: Double, from start: Double, first: Double,
        done: Double, until end: Double
    ) -> (rendition: Int, time: Double, bits: Double)? {
        var time = start + Player.judgementInterval
        // Stop judging after one hour: on a dead link the loop would not end.
        let last = min(done, end, start + 3_600_000)
        // The whole transfer is known, so the rest at any time between follows from the capacity.
        // On a dead link the transfer has no end; then the size of the whole transfer counts.
        let atEnd =
            done.isFinite
            ? cursor.capacity(at: done / 1000, in: viewer.link)
            : cursor.capacity(at: first / 1000, in: viewer.link) + bits + headBits
        while time < last {
            guard time >= first else {
                time += Player.judgementInterval
                continue
            }
            let left =
                atEnd - judgingCursor.capacity(at: time / 1000, in: viewer.link)
                - (playlists?.bits(from: time, until: done) ?? 0)
            let progress = DownloadProgress(
                segment: segment, rendition: rendition, size: bits, downloaded: max(0, bits - left),
                elapsed: time - start, timeToFirstByte: first - start)
            if let lower = player.judge(progress, at: time) {
                return (lower, time, progress.downloaded)
            }
            time += Player.judgementInterval
        }
        return nil
    }

    /// Fetches parts one after another as they are made.
    /// - Returns: the end, the time of real transfer and the time to first byte (NaN if the server
    ///   held the request back).
    private mutating func fetchParts(
        _ segment: Int, _ bits: Double, _ timeline: LiveTimeline, from start: Double,
        roundTrip: Double, until end: Double
    ) -> (Double, Double, Double)? {
        let duration = viewer.title.segmentDuration
        let parts = timeline.effectiveParts
        var transferTime = 0.0
        var timeToFirstByte = roundTrip
        var sent = start + roundTrip / 2
        var arrived = start
        for part in 0..<parts {
            let exists = timeline.available(
                segment: segment, part: part, of: parts, duration: duration)
            // The server sends parts that exist, and holds back a request that came early.
            if part == 0, exists > sent { timeToFirstByte = .nan }
            sent = max(sent, exists)
            let first = max(sent + roundTrip / 2, arrived)
            arrived = transfer(bits / Double(parts), from: first, roundTrip)
            transferTime += arrived - first
            guard arrived < end else { return nil }
            if part + 1 < parts { player.receive(duration / Double(parts), at: arrived) }
            switch timeline.delivery {
            // The next part is requested when this one has arrived.
            case .parts: sent = arrived + roundTrip / 2
            case .chunks, .segments: sent = max(sent, arrived - roundTrip / 2)
            }
        }
        return (arrived, transferTime, timeToFirstByte)
    }

    // MARK: TCP

    private mutating func prepareWindow(_ now: Double, _ roundTrip: Double) {
        guard let tcp else { return }
        let timeout = max(tcp.idleTimeout, 2 * roundTrip)
        if window == 0 || (tcp.slowStartAfterIdle && now - lastUsed > timeout) {
            window = tcp.initialWindow
        }
    }

    /// Returns the time at which `bits` have arrived if the first bit arrives at `start` (ms).
    private mutating func transfer(_ bits: Double, from start: Double, _ roundTrip: Double)
        -> Double
    {
        var left = bits
        var now = start / 1000
        if tcp != nil, roundTrip > 0 {
            let round = roundTrip / 1000
            // 64 rounds are enough for any window to fill any link.
            for _ in 0..<64 where left > window {
                let done = cursor.seconds(toMove: window, from: now, in: viewer.link)
                // The link is the limit from here on.
                if done - now >= round { break }
                left -= window
                now += round
                window *= 2
            }
        }
        return cursor.seconds(toMove: left, from: now, in: viewer.link) * 1000
    }
}
