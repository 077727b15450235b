import Server
import Stacks

/// States and restarts of the encoders during a trial, taken from the server's reports.
struct EncoderWatch {
    /// Number of events that are kept.
    static let eventLimit = 100

    /// Events with the stream key of the rendition and the moment at which they were seen.
    private var log = SupervisionLog<RunMoment>(limit: eventLimit)
    /// The latest state of each rendition, by stream key.
    private(set) var latest: [String: LadderStatus.Rendition] = [:]
    /// Number of restarts of all encoders together.
    private var restarts = 0
    private var isClosed = false

    /// Ignores all later reports: the run itself ends the encoders from now on.
    mutating func close() { isClosed = true }

    /// Takes a report of the server.
    ///
    /// - Parameters:
    ///   - seconds: Seconds since the shared start time.
    ///   - isInWindow: Whether that moment lies in the steady window.
    mutating func receive(_ status: ServerStatus, seconds: Double, isInWindow: Bool) {
        guard !isClosed else { return }
        let moment = RunMoment(seconds: seconds, isInSteadyWindow: isInWindow)
        for rendition in status.ladders.flatMap(\.renditions) {
            let key = Self.key(rendition.stream)
            let before = latest[key]
            latest[key] = rendition
            // A server that was started again counts anew.
            let earlier = before?.restarts ?? 0
            restarts += rendition.restarts - (rendition.restarts < earlier ? 0 : earlier)
            let reason = rendition.lastError.map { ": \($0)" } ?? ""
            if rendition.restarts > before?.restarts ?? 0 {
                log.add("\(key) was started again\(reason)", at: moment)
            } else if rendition.state == .backingOff, before?.state != .backingOff {
                log.add("\(key) ended\(reason)", at: moment)
            }
            if rendition.state == .failed, before?.state != .failed {
                log.add("\(key) was given up\(reason)", at: moment)
            }
        }
    }

    /// Returns the stream key of a stream's name: `cam_720p` of `live/cam_720p`.
    static func key(_ stream: String) -> String {
        String(stream.split(separator: "/").last ?? "")
    }

    /// Returns the encoders' processes by their names in the accounting:
    /// `encoder-<stream>_<rendition>`, or `encoder-<stream>` if one process makes all renditions.
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

    /// Notes for the readers of the results.
    var notes: [String] {
        var notes = log.events.map { "encoder \($0.words) (seen at \($0.moment))" }
        if log.uncounted > 0 {
            notes.append("encoders: \(log.uncounted) more events like these")
        }
        let all = latest.sorted { $0.key < $1.key }
        if !all.isEmpty {
            notes.append(
                SupervisionSummary(
                    kind: "encoders", programs: all.map { ($0.key, $0.value.state.rawValue) },
                    restarts: restarts
                ).note)
        }
        for (key, rendition) in all
        where (rendition.speed ?? 1) < 0.95 && rendition.state == .running {
            notes.append(
                "encoder \(key) does not keep up: \(rendition.speed ?? 0) s of media a second")
        }
        return notes
    }
}
