import HLS
import Netem

/// The playlists of a simulated HLS viewer: when each rendition's playlist is loaded
/// (`ReloadSchedule`, as for viewers on sockets), and the segments that it then lists. A playlist
/// lists the segments that the server had when the request reached it. Loads take the whole link
/// while they last.
///
/// Events happen on demand: each call runs the loads up to its result. Times are ms and never go
/// back.
struct PlaylistClient: Sendable {
    private struct Load {
        var rendition: Int
        /// The newest segment that the server listed.
        var newest: Int
        /// Times of the first bit and of the last.
        var from: Double
        var until: Double
    }

    let settings: PlaylistReloads
    private let timeline: LiveTimeline
    private let duration: Double
    private let link: RateSchedule
    private var schedule: ReloadSchedule
    /// The newest segment that each rendition's playlist lists; negative before the first load.
    private var listed: [Int]
    private var underWay: Load?
    /// Loads that have ended and are not forgotten yet.
    private var loads: [Load] = []
    /// The newest segment that any playlist listed; negative before the first.
    private(set) var newest = -1
    private var cursor = RateSchedule.Cursor()
    private var bits: Double { settings.bits + settings.headBits }

    /// Shortest interval that the settings may state (ms). There is no real server to protect,
    /// unlike on sockets: the limit of 100 ms only keeps a simulation short, because each load
    /// takes some time.
    private static let shortestInterval = 100.0

    /// Makes the client of a viewer that has its first playlist, that of `rendition`, at `time`.
    init(
        _ settings: PlaylistReloads, _ timeline: LiveTimeline, _ viewer: SimulatedViewer,
        rendition: Int = 0, at time: Double
    ) {
        self.settings = settings
        self.timeline = timeline
        duration = viewer.title.segmentDuration
        link = viewer.link
        schedule = ReloadSchedule(
            renditionCount: viewer.title.renditionCount, shortestInterval: Self.shortestInterval)
        listed = Array(repeating: -1, count: viewer.title.renditionCount)
        let way = 1000 * cursor.delaySeconds(at: time / 1000, in: link)
        let rate = cursor.rate(at: time / 1000, in: link)
        let asked = time - 2 * way - (rate > 0 ? bits / rate * 1000 : 0)
        schedule.follow(rendition)
        schedule.start(rendition, at: asked)
        take(
            Load(
                rendition: rendition,
                newest: timeline.latest(at: asked + way, duration: duration), from: time,
                until: time))
        loads = []
    }

    /// Returns the time from `now` on at which any playlist lists `segment`. If the time is `end`
    /// or later, its exact value does not matter.
    mutating func timeListed(_ segment: Int, from now: Double, until end: Double) -> Double {
        run(to: now)
        var time = now
        while newest < segment, time < end { time = step() }
        return time
    }

    /// Returns the time from `now` on at which the playlist of `rendition` lists `segment`. That
    /// playlist is followed from then on.
    mutating func lists(
        _ segment: Int, rendition: Int, from now: Double, until end: Double
    ) -> Double {
        // A request for wanted media comes before a reload that is due at the same time.
        while nextEvent < now { _ = step() }
        schedule.follow(rendition)
        var time = now
        while listed[rendition] < segment, time < end {
            reload(at: time)
            time = step()
        }
        return time
    }

    /// Runs the loads up to `time`.
    mutating func run(to time: Double) {
        while nextEvent <= time { _ = step() }
    }

    /// Returns the time from which on the link is free for other transfers, at the earliest `time`.
    mutating func free(from time: Double) -> Double {
        run(to: time)
        guard let load = underWay, load.from <= time else { return time }
        return load.until
    }

    /// Returns the bits of the link that loads took between two times (ms), which must not be later
    /// than the time of the last run; a load that is under way then counts to its end.
    mutating func bits(from start: Double, until end: Double) -> Double {
        var sum = 0.0
        func add(_ load: Load, until last: Double) {
            guard load.until > start, load.from < end else { return }
            let from = cursor.capacity(at: max(load.from, start) / 1000, in: link)
            sum += cursor.capacity(at: last / 1000, in: link) - from
        }
        for load in loads { add(load, until: min(load.until, end)) }
        // A load that has begun goes first: other transfers wait until it is over.
        if let load = underWay, load.until.isFinite { add(load, until: load.until) }
        return sum
    }

    /// Forgets loads before `time`.
    mutating func forget(before time: Double) { loads.removeAll { $0.until <= time } }

    private var nextEvent: Double { underWay?.until ?? schedule.next }

    /// Performs the next event. Returns its time.
    private mutating func step() -> Double {
        if let load = underWay {
            underWay = nil
            take(load)
            return load.until
        }
        let time = schedule.next
        if time < .infinity, schedule.takeDue(at: time) { reload(at: time) }
        return time
    }

    /// Starts a load, now or as soon as it is allowed.
    private mutating func reload(at time: Double) {
        guard schedule.mayStart(at: time, isLoading: underWay != nil) else { return }
        schedule.start(schedule.followed, at: time)
        let way = 1000 * cursor.delaySeconds(at: time / 1000, in: link)
        let from = time + 2 * way
        underWay = Load(
            rendition: schedule.followed,
            newest: timeline.latest(at: time + way, duration: duration), from: from,
            until: cursor.seconds(toMove: bits, from: from / 1000, in: link) * 1000)
    }

    private mutating func take(_ load: Load) {
        loads.append(load)
        schedule.receive(
            load.rendition, isNews: load.newest > listed[load.rendition],
            interval: settings.interval)
        listed[load.rendition] = max(load.newest, listed[load.rendition])
        newest = max(newest, load.newest)
        schedule.planNext(after: load.rendition, at: load.until)
    }
}
