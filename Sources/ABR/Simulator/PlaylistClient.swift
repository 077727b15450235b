import HLS
import Netem

/// The playlists of a simulated HLS viewer: when each rendition's is loaded (`ReloadSchedule`, as for
/// viewers on sockets), and what it lists by then. A playlist lists what the server had when the
/// request came to it. Loads take the whole link while they last.
///
/// Events happen when they are asked for: each verb runs the loads up to its answer. Times are ms
/// and never go back.
struct PlaylistClient: Sendable {
    private struct Load {
        var rendition: Int
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
    private var schedule: ReloadSchedule
    /// The newest segment that each rendition's playlist lists; negative before the first load.
    private var listed: [Int]
    private var underWay: Load?
    /// Loads that are over, and were not yet forgotten.
    private var loads: [Load] = []
    /// The newest segment that any playlist listed; negative before the first.
    private(set) var newest = -1
    private var cursor = RateSchedule.Cursor()
    private var bits: Double { settings.bits + settings.headBits }

    /// The shortest interval that the settings may say (ms). No server has to be spared here, as on
    /// sockets: 100 ms only keep a simulation short, as each load takes some time.
    private static let shortestInterval = 100.0

    /// A viewer has its first playlist, which is that of `rendition`, at `time`.
    init(
        _ settings: PlaylistReloads, _ timeline: LiveTimeline, _ viewer: SimulatedViewer,
        rendition: Int = 0, at time: Double
    ) {
        self.settings = settings
        self.timeline = timeline
        duration = viewer.title.segmentDuration
        link = viewer.link
        schedule = ReloadSchedule(
            renditions: viewer.title.renditions, shortestInterval: Self.shortestInterval)
        listed = Array(repeating: -1, count: viewer.title.renditions)
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

    /// The time from `now` on at which any playlist lists `segment`; at `end` or later the answer does
    /// not matter.
    mutating func timeListed(_ segment: Int, from now: Double, until end: Double) -> Double {
        run(to: now)
        var time = now
        while newest < segment, time < end { time = step() }
        return time
    }

    /// The time from `now` on at which the playlist of `rendition`, which is followed from then on,
    /// lists `segment`.
    mutating func lists(
        _ segment: Int, rendition: Int, from now: Double, until end: Double
    ) -> Double {
        // What is wanted comes before a reload that is due at the same moment.
        while nextEvent < now { _ = step() }
        schedule.follow(rendition)
        var time = now
        while listed[rendition] < segment, time < end {
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

    private var nextEvent: Double { underWay?.until ?? schedule.next }

    /// The next event; its time.
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

    /// Starts a load, now or when that is allowed.
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
