import Publisher
import Viewer
extension TrialRecord {
    /// What a restart of the server cost.
    var restartNotes: [String] {
        guard hasRestarted else { return [] }
        let frames = streams.reduce(0) { $0 + $1.framesWhileAway }
        let cut = load.count { $0.failure != nil } + probes.count { $0.failure != nil }
        return [
            "\(frames) frames were due while the server was away and before the next key frame",
            cut > 0
                ? "\(cut) RTMP and HTTP-FLV viewers were cut off; such viewers do not come back"
                : nil,
        ].compactMap { $0 }
    }
}
