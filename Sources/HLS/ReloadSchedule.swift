/// Schedule of the loads of a viewer's media playlists (RFC 8216bis, 6.3.4).
///
/// - A rendition's next load starts one interval after its last load started, or half an interval
///   if that load brought nothing new.
/// - One playlist is loaded at a time.
/// - Only the rendition that the viewer follows is reloaded. If a viewer wants a segment of another
///   rendition and that rendition's playlist does not list it, the viewer follows that rendition
///   from then on, so its playlist is the next one loaded.
///
/// The schedule never reads a clock. All times are milliseconds of one clock, which the caller
/// reads, and never decrease.
public struct ReloadSchedule: Sendable {
    private struct Rendition {
        /// Start of the last load.
        var started = -Double.infinity
        /// Interval by the playlist's target duration, in milliseconds; 0 before the first
        /// playlist.
        var interval = 0.0
        /// Whether the last load brought a changed playlist; true before the first load ends.
        var isNews = true
    }

    private var renditions: [Rendition]
    private let shortestInterval: Double
    /// Index of the rendition whose playlist is reloaded.
    public private(set) var followed = 0
    /// Time at which to call `takeDue`; infinity while no load is planned.
    public private(set) var next = Double.infinity

    /// - Parameters:
    ///   - renditionCount: Number of renditions; their indices begin at 0.
    ///   - shortestInterval: Smallest interval (ms), so that a target duration of 0 does not lead
    ///     to loads without end. For a real server the value must be large enough to spare the
    ///     server; a simulation needs it only so that virtual time advances.
    public init(renditionCount: Int, shortestInterval: Double) {
        self.renditions = Array(repeating: Rendition(), count: renditionCount)
        self.shortestInterval = shortestInterval
    }

    // MARK: Last load of a rendition

    /// Start of a rendition's last load; minus infinity before the first.
    public func started(_ rendition: Int) -> Double { renditions[rendition].started }

    /// Whether a rendition's last load brought a changed playlist; true before its first load ends.
    public func isNews(_ rendition: Int) -> Bool { renditions[rendition].isNews }

    /// Time from the start of a rendition's last load until the next may start (ms); 0 before the
    /// first playlist.
    public func interval(_ rendition: Int) -> Double {
        renditions[rendition].interval * (renditions[rendition].isNews ? 1 : 0.5)
    }

    /// Earliest time at which the next load of a rendition may start.
    public func earliest(_ rendition: Int) -> Double {
        renditions[rendition].started + interval(rendition)
    }

    // MARK: Events

    /// Makes `rendition` the one whose playlist is reloaded from now on.
    public mutating func follow(_ rendition: Int) { followed = rendition }

    /// Notes that a load of a rendition's playlist starts.
    public mutating func start(_ rendition: Int, at time: Double) {
        renditions[rendition].started = time
    }

    /// Notes that a load has brought a playlist.
    /// - Parameters:
    ///   - isNews: Whether the playlist has changed.
    ///   - interval: Target duration of the playlist (ms).
    public mutating func receive(_ rendition: Int, isNews: Bool, interval: Double) {
        renditions[rendition].isNews = isNews
        renditions[rendition].interval = max(shortestInterval, interval)
    }

    /// Notes that a load has failed or has brought no usable playlist.
    public mutating func receiveNothing(_ rendition: Int) { renditions[rendition].isNews = false }

    /// Plans the next load after a load of `rendition` that ended at `time`. The end of a load of a
    /// rendition that is no longer followed never postpones a planned load.
    public mutating func planNext(after rendition: Int, at time: Double) {
        let earliest = max(time, earliest(followed))
        next = rendition == followed ? earliest : min(next, earliest)
    }

    /// Plans a load at `time`, whatever the interval is.
    public mutating func plan(at time: Double) { next = time }

    /// Returns whether a planned load is due. A load that is due is no longer planned afterwards;
    /// the caller then calls `mayStart`.
    public mutating func takeDue(at time: Double) -> Bool {
        guard time >= next else { return false }
        next = .infinity
        return true
    }

    /// Returns whether a load of the followed rendition may start now. If it is too early, a load
    /// is planned.
    /// - Parameter isLoading: Whether any playlist is being loaded.
    public mutating func mayStart(at time: Double, isLoading: Bool) -> Bool {
        guard !isLoading else { return false }
        let earliest = earliest(followed)
        guard time < earliest else { return true }
        next = min(next, earliest)
        return false
    }
}
