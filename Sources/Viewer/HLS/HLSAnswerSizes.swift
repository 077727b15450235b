import ABR
import SimulationKernel

/// Sizes of a session's responses, which determine the load of the session on a server.
struct HLSAnswerSizes {
    /// Bytes of the latest media playlist.
    private var playlist = 0
    /// Bytes of the response head of the latest segment.
    private var head = 0
    private var initialization: Int?

    mutating func note(_ response: HLSPlayerResponse, to purpose: HLSPlayerRequest.Purpose) {
        switch purpose {
        case .entry, .part: break
        case .playlist: playlist = response.body.count
        case .initialization: initialization = response.bytes
        case .segment: head = response.headBytes
        }
    }

    /// Facts about a live stream that the player has received; nil before a live stream is played.
    func liveFacts(
        _ playback: HLSPlayback, _ presentation: HLSPresentation, joinedAt: Int64
    ) -> HLSLiveFacts? {
        guard let player = playback.player, let live = player.configuration.live else { return nil }
        let interval = presentation.renditions.lazy.compactMap { $0.playlist?.targetMilliseconds }
            .first
        return HLSLiveFacts(
            segmentDuration: player.title.segmentDuration,
            epochNanoseconds: joinedAt + Int64(clampingNanoseconds: player.epoch * 1e6),
            targetLatency: live.targetLatency,
            reloadInterval: interval.map { max(HLSPresentation.shortestReloadInterval, $0) } ?? 0,
            playlistBytes: playlist, initializationBytes: initialization, headBytes: head,
            playerStart: playback.startedAt)
    }
}
