import Server

/// What became of the encoders in the course of a trial, out of the server's reports.
struct EncoderWatch {
    struct Event: Hashable, Sendable {
        /// From the shared start time.
        var seconds: Double
        /// `<stream>_<rendition>`
        var stream: String
        var words: String
        var isInWindow: Bool
    }

    /// Events kept; later ones are counted.
    static let eventLimit = 100

    private(set) var events: [Event] = []
    private(set) var uncounted = 0
    /// The latest state of each rendition, by stream key.
    private(set) var latest: [String: LadderStatus.Rendition] = [:]
    /// Of all encoders in all.
    private var restarts = 0
    private var isTakenDown = false

    /// What comes from now on is the run's own end.
    mutating func close() { isTakenDown = true }

    /// Takes a report of the server.
    ///
    /// - Parameters:
    ///   - seconds: from the shared start time.
    ///   - isInWindow: whether that moment lies in the steady window.
    mutating func receive(_ status: ServerStatus, seconds: Double, isInWindow: Bool) {
        guard !isTakenDown else { return }
        for rendition in status.ladders.flatMap(\.renditions) {
            let key = Self.key(rendition.stream)
            let before = latest[key]
            latest[key] = rendition
            // A server that was started again counts anew.
            let earlier = before?.restarts ?? 0
            restarts += rendition.restarts - (rendition.restarts < earlier ? 0 : earlier)
            func tell(_ words: String) {
                let event = Event(
                    seconds: seconds, stream: key, words: words, isInWindow: isInWindow)
                if events.count < Self.eventLimit { events.append(event) } else { uncounted += 1 }
            }
            let reason = rendition.lastError.map { ": \($0)" } ?? ""
            if rendition.restarts > before?.restarts ?? 0 {
                tell("was started again\(reason)")
            } else if rendition.state == .backingOff, before?.state != .backingOff {
                tell("ended\(reason)")
            }
            if rendition.state == .failed, before?.state != .failed {
                tell("was given up\(reason)")
            }
        }
    }

    /// `cam_720p` of `live/cam_720p`.
    static func key(_ stream: String) -> String {
        String(stream.split(separator: "/").last ?? "")
    }

    /// Processes by name, as accounted: `encoder-<stream>_<rendition>`, or `encoder-<stream>` where
    /// one makes all.
    static func processes(_ status: ServerStatus) -> [(name: String, pid: Int32)] {
        status.ladders.flatMap { ladder -> [(String, Int32)] in
            if ladder.mode == .single {
                return ladder.renditions.compactMap(\.pid).prefix(1).map {
                    ("encoder-\(key(ladder.source))", $0)
                }
            }
            return ladder.renditions.compactMap { rendition in
                rendition.pid.map { ("encoder-\(key(rendition.stream))", $0) }
            }
        }
    }

    /// What a reader of the results should know.
    var notes: [String] {
        var notes = events.map { event in
            "encoder \(event.stream) \(event.words) (seen at \(Self.tenths(event.seconds)) s"
                + (event.isInWindow ? ", in the steady window)" : ")")
        }
        if uncounted > 0 { notes.append("encoders: \(uncounted) more events like these") }
        let all = latest.sorted { $0.key < $1.key }
        let slow = all.filter { ($0.value.speed ?? 1) < 0.95 && $0.value.state == .running }
        let degraded = all.filter { $0.value.state != .running }
        if !all.isEmpty {
            notes.append(
                degraded.isEmpty
                    ? "encoders: \(all.count) running at the end, \(restarts) restarts"
                    : "encoders DEGRADED at the end: "
                        + degraded.map { "\($0.key) \($0.value.state.rawValue)" }
                        .joined(separator: ", "))
        }
        for (key, rendition) in slow {
            notes.append(
                "encoder \(key) does not keep up: \(rendition.speed ?? 0) s of media a second")
        }
        return notes
    }

    private static func tenths(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}
