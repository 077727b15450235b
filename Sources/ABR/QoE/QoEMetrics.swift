/// Figures of merit of a session.
public struct QoEMetrics: Hashable, Sendable {
    /// The measure of Yin et al. (SIGCOMM 2015) with Pensieve's weights: Mbit/s, less 4.3 per
    /// second of stall, less 1 per Mbit/s of change, summed over segments. Start-up counts as a
    /// stall.
    public var linear: Double
    /// The same measure with ln(bit rate / lowest) and 2.66 per second of stall.
    public var log: Double
    /// The same measure with Pensieve's HD reward and 8 per second of stall.
    public var hd: Double
    /// Sabre's score: mean utility per segment duration of session less (gamma p) x the stalled
    /// share.
    public var sabre: Double
    /// Mean of LoL+'s measure per segment.
    public var lolPlus: Double

    /// Weight of the stalled share against utility, in BOLA and in Sabre's score.
    static let gammaP = 5.0

    public init(_ account: QoEAccount, title: Title) {
        let stall = (account.stalled + account.startup) / 1000
        linear = account.bitrateSum / 1000 - 4.3 * stall - account.bitrateChange / 1000
        log = account.utilitySum - 2.66 * stall - account.utilityChange
        hd = account.hdSum - 8 * stall - account.hdChange
        let watched = account.startup + account.playing + account.stalled
        let duration = title.segmentDuration
        sabre =
            watched == 0
            ? .nan
            : (account.utilitySum - Self.gammaP * account.stalled / duration)
                / (watched / duration)
        lolPlus = account.segments == 0 ? .nan : account.lolPlus / Double(account.segments)
    }
}
