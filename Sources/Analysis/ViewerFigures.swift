import Results
import Scenario
import Viewer

/// The viewers that joined, and the failures of viewers by reason and number, so that readers need
/// not search viewers.csv for them.
struct ViewerFigures {
    let record: TrialRecord
    /// Viewers (not sessions) that received media.
    let joined: Set<Int>
    /// Why viewers did not join, the most frequent reason first; one reason for each viewer.
    let joinFailures: [ViewerFailure]

    init(_ record: TrialRecord) {
        self.record = record
        joined = Self.joined(record)
        joinFailures = Self.joinFailures(record, joined: joined)
    }

    private static func joined(_ record: TrialRecord) -> Set<Int> {
        let indices =
            record.load.filter { $0.firstMediaNanoseconds != nil }.map(\.index)
            + record.probes.filter { $0.firstFrameNanoseconds != nil }.map(\.index)
            + record.hls.filter { $0.startupNanoseconds != nil }.map(\.index)
        return Set(indices.map { $0 % Plan.sessionStride })
    }

    private static func joinFailures(
        _ record: TrialRecord, joined: Set<Int>
    ) -> [ViewerFailure] {
        var reasons: [Int: String] = [:]
        let reports =
            record.load.map { ($0.index, $0.askedAtNanoseconds, $0.failure) }
            + record.probes.map { ($0.index, $0.askedAtNanoseconds, $0.failure) }
            + record.hls.map { ($0.index, $0.askedAtNanoseconds, $0.failure ?? $0.trouble) }
        for (index, asked, failure) in reports {
            let viewer = index % Plan.sessionStride
            guard !joined.contains(viewer) else { continue }
            let plain =
                asked == nil
                ? "its turn to join did not come" : "the server took it and sent no media"
            // A failure says more than the fact that nothing came.
            reasons[viewer] = failure ?? reasons[viewer] ?? plain
        }
        let silence =
            record.hasLostReports
            ? "not known, for its process ended without its last report"
            : "nothing was heard of it"
        let silent = record.plan.viewers.count - joined.count - reasons.count
        return FailureReasons.ranked(
            Array(reasons.values)
                + [String](repeating: silence, count: max(0, silent))
        ).map { ViewerFailure(reason: $0.reason, count: $0.count) }
    }

    var joinNotes: [String] {
        let failures = joinFailures
        let count = failures.reduce(0) { $0 + $1.count }
        guard count > 0 else { return [] }
        let text = failures.prefix(5).map { "\($0.count): \($0.reason)" }.joined(separator: "; ")
        let rest = failures.count > 5 ? "; and \(failures.count - 5) more reasons" : ""
        let words = record.hasLostReports ? "did not join, as far as is known" : "did not join"
        return ["\(count) viewers \(words): \(text)\(rest)"]
    }

    /// Notes about viewers that received media and failed afterwards.
    var breakNotes: [String] {
        let failures =
            record.load.compactMap { $0.firstMediaNanoseconds == nil ? nil : $0.failure }
            + record.probes.compactMap { $0.firstFrameNanoseconds == nil ? nil : $0.failure }
            + record.hls.compactMap { $0.startupNanoseconds == nil ? nil : $0.failure }
        guard !failures.isEmpty else { return [] }
        let text = FailureReasons.ranked(failures).prefix(5)
            .map { "\($0.count): \($0.reason)" }.joined(separator: "; ")
        return ["\(failures.count) sessions broke after media had come: \(text)"]
    }

    /// Notes about what HLS viewers skipped or repaired.
    var playlistNotes: [String] {
        func sum(_ value: (HLSRequestCounts) -> Int) -> Int {
            record.hls.reduce(0) { $0 + value($1.requests) }
        }
        let missing = record.hls.reduce(0) { $0 + $1.playback.missing }
        let text = (missing * 10).rounded() / 10
        return [
            sum(\.missingSegments) > 0
                ? "\(sum(\.missingSegments)) times HLS viewers found a segment that no rendition has (EXT-X-GAP); they passed over \(text) s of media (viewers.csv, missing_s)"
                : nil,
            sum(\.olderCopies) > 0
                ? "\(sum(\.olderCopies)) playlists were older than the one before and were kept out; several servers behind one name, a cache, and streams that begin anew answer so"
                : nil,
            sum(\.badLines) > 0
                ? "\(sum(\.badLines)) lines of playlists break RFC 8216 and were passed over; millrace validate-hls names them"
                : nil,
            sum(\.ignoredRanges) > 0
                ? "\(sum(\.ignoredRanges)) answers held a whole resource where a byte range was asked for: those bytes are in the figures"
                : nil,
            sum(\.repeated) > 0
                ? "\(sum(\.repeated)) requests of HLS viewers were sent again at once on new connections: kept ones brought no answer, or none that can be read"
                : nil,
        ].compactMap(\.self)
    }
}
