import Netem

/// The playlists of a simulated HLS viewer: when each rung's is loaded, and what it lists by then.
/// The rules are those of the viewers on sockets: a load says what the server had when the request
/// came to it; the next of that rung starts one target duration after the last began, or half of
/// one where that brought no news (RFC 8216bis, 6.3.4); one load at a time; a rung that lacks the
/// wanted segment is asked first of all. Loads take the whole link while they last.
///
/// Events happen when they are asked for: each verb runs the loads up to its answer. Times are ms
/// and never go back.
struct PlaylistClient: Sendable {
    private struct Rung {
        var loadStarted = -Double.infinity
        /// From the start of the last load to the earliest start of the next.
        var interval = 0.0
        /// The newest segment listed.
        var newest = -1
    }
    private struct Load {
        var rung: Int
        /// What the server listed.
        var newest: Int
        /// First bit to last.
        var from: Double
        var until: Double
    }

    let settings: PlaylistReloads
    private let timeline: LiveTimeline
    private let duration: Double
    private let link: RateSchedule
    private var rungs: [Rung]
    /// Whose news are heard.
    private var current = 0
    private var timer = Double.infinity
    private var underWay: Load?
    /// Loads that are over, and were not yet forgotten.
    private var loads: [Load] = []
    /// The newest segment that any playlist listed; negative before the first.
    private(set) var newest = -1
    private var cursor = RateSchedule.Cursor()
    private var bits: Double { settings.bits + settings.headBits }

    /// The shortest interval that the settings may say (ms): each load takes some time.
    private static let shortestInterval = 100.0

    /// A viewer has its first playlist at `time`, of rung 0 until `begin` says another.
    init(
        _ settings: PlaylistReloads, _ timeline: LiveTimeline, _ viewer: SimulatedViewer,
        at time: Double
    ) {
        self.settings = settings
        self.timeline = timeline
        duration = viewer.title.segmentDuration
        link = viewer.link
        rungs = Array(repeating: Rung(), count: viewer.title.rungs)
        let way = 1000 * cursor.delaySeconds(at: time / 1000, in: link)
        let rate = cursor.rate(at: time / 1000, in: link)
        let asked = time - 2 * way - (rate > 0 ? bits / rate * 1000 : 0)
        rungs[0].loadStarted = asked
        take(
            Load(
                rung: 0, newest: timeline.latest(at: asked + way, duration: duration),
                from: time, until: time))
        loads = []
    }

    /// The first playlist was this rung's: the viewer plays no other.
    mutating func begin(with rung: Int) {
        rungs.swapAt(0, rung)
        current = rung
    }

    /// When a viewer that waits from `now` on hears of `segment`; no later than it has to know.
    mutating func heard(of segment: Int, from now: Double, until end: Double) -> Double {
        run(to: now)
        var time = now
        while newest < segment, time < end { time = step() }
        return time
    }

    /// When the playlist of `rung` lists `segment`, if that is wanted from `now` on.
    mutating func lists(_ segment: Int, rung: Int, from now: Double, until end: Double) -> Double {
        // What is wanted comes before a reload that is due at the same moment.
        while nextEvent < now { _ = step() }
        current = rung
        var time = now
        while rungs[rung].newest < segment, time < end {
            reload(at: time)
            time = step()
        }
        return time
    }

    /// Loads up to `time`.
    mutating func run(to time: Double) {
        while nextEvent <= time { _ = step() }
    }

    /// From when on the link carries something else, at `time` at the earliest.
    mutating func free(from time: Double) -> Double {
        run(to: time)
        guard let load = underWay, load.from <= time else { return time }
        return load.until
    }

    /// Bits that loads took of the link between two times (ms), no later than they have been run to;
    /// one that is under way then counts to its end.
    mutating func bits(from start: Double, until end: Double) -> Double {
        var sum = 0.0
        func add(_ load: Load, until last: Double) {
            guard load.until > start, load.from < end else { return }
            let from = cursor.capacity(at: max(load.from, start) / 1000, in: link)
            sum += cursor.capacity(at: last / 1000, in: link) - from
        }
        for load in loads { add(load, until: min(load.until, end)) }
        // What has begun goes first: who waits for the link waits until it is over.
        if let load = underWay, load.until.isFinite { add(load, until: load.until) }
        return sum
    }

    /// Loads before `time` are of no more interest.
    mutating func forget(before time: Double) { loads.removeAll { $0.until <= time } }

    private var nextEvent: Double { underWay?.until ?? timer }

    /// The next event; its time.
    private mutating func step() -> Double {
        if let load = underWay {
            underWay = nil
            take(load)
            return load.until
        }
        let time = timer
        timer = .infinity
        if time < .infinity { reload(at: time) }
        return time
    }

    /// Starts a load, now or when that is allowed.
    private mutating func reload(at time: Double) {
        guard underWay == nil else { return }
        let earliest = rungs[current].loadStarted + rungs[current].interval
        guard time >= earliest else {
            timer = min(timer, earliest)
            return
        }
        rungs[current].loadStarted = time
        let way = 1000 * cursor.delaySeconds(at: time / 1000, in: link)
        let from = time + 2 * way
        underWay = Load(
            rung: current, newest: timeline.latest(at: time + way, duration: duration),
            from: from,
            until: cursor.seconds(toMove: bits, from: from / 1000, in: link) * 1000)
    }

    private mutating func take(_ load: Load) {
        loads.append(load)
        let isNews = load.newest > rungs[load.rung].newest
        rungs[load.rung].interval =
            max(Self.shortestInterval, settings.interval) * (isNews ? 1 : 0.5)
        rungs[load.rung].newest = max(load.newest, rungs[load.rung].newest)
        newest = max(newest, load.newest)
        let earliest = rungs[current].loadStarted + rungs[current].interval
        let next = max(load.until, earliest)
        timer = load.rung == current ? next : min(timer, next)
    }
}
