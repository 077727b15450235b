/// One stream that is published to a sink, over all sessions in which it came.
final class PushedStream {
    /// Manner in which a session ended.
    enum End {
        /// The peer said that the stream ends.
        case orderly
        /// The connection ended without that.
        case cutOff(String)
        /// The stream came on another connection.
        case replaced
    }

    let spec: SinkSpec
    /// Key under which the delays of intervals are added up.
    let delayKey: String
    var account: ProbeAccount
    private(set) var counts = PushedStreamCounts()
    /// The connection that publishes the stream; nil between two sessions.
    private(set) var session: SinkHandler?
    /// Reason why the last session was cut off; nil if it was not.
    private var cutReason: String?

    init(_ spec: SinkSpec, now: Int64) {
        self.spec = spec
        delayKey = ViewerSpec.delayKey(spec.stream, spec.rendition, SinkSpec.playProtocol)
        let viewer = ViewerSpec(
            index: spec.index, transport: .rtmp, url: "", stream: spec.stream,
            rendition: spec.rendition)
        // The frames are not matched with a capture, so none is kept by itself.
        account = ProbeAccount(viewer, askedAt: now, frameLimit: 0)
    }

    /// Whether the last session was cut off and no other one has followed.
    var isCutOff: Bool { session == nil && cutReason != nil }

    /// Notes that a session begins.
    func begin(_ handler: SinkHandler) {
        session = handler
        cutReason = nil
        counts.sessions += 1
        account.resume()
    }

    /// Notes that the session of a connection ended. A session that was replaced has ended already.
    func end(_ handler: SinkHandler, _ end: End, now: Int64) {
        guard session === handler else { return }
        session = nil
        account.end(now: now)
        switch end {
        case .orderly: counts.orderlyEnds += 1
        case .cutOff(let reason):
            counts.cutOffs += 1
            cutReason = reason
        case .replaced: counts.replaced += 1
        }
    }

    /// Closes the account at the end of the run.
    func finish(now: Int64) -> ProbeViewerReport {
        if let cutReason, session == nil { account.fail(cutReason, now: now) }
        session = nil
        var report = account.finish(now: now)
        report.pushed = counts
        return report
    }
}
