import ABR
import HLS

/// What the media playlists of a presentation tell the player.
extension HLSPlayback {
    /// Makes the player from the first media playlist that lists a segment, and begins playing.
    /// - Parameter joinedAt: real time of the session's time 0, ms since 1970.
    /// - Returns: the player's first action.
    mutating func begin(
        with playlist: MediaPlaylist, rendition: Int, of presentation: inout HLSPresentation,
        _ spec: HLSViewerSpec, _ algorithm: AlgorithmName, joinedAt: Double, at time: Double
    ) throws -> Player.Action {
        let player = try presentation.player(for: playlist, spec, algorithm)
        let duration = player.title.segmentDuration
        presentation.begin(with: playlist, rendition: rendition, duration: duration)
        var epoch = 0.0
        if presentation.isLive {
            epoch = presentation.epoch(
                playlist, rendition: rendition, duration: duration, joinedAt: joinedAt, at: time)
        }
        return begin(
            player, at: time, epoch: epoch, latest: max(0, presentation.alignment.newest))
    }

    /// Processes a later update of a live playlist.
    /// - Parameter joinedAt: real time of the session's time 0, ms since 1970.
    mutating func follow(
        _ playlist: MediaPlaylist, rendition: Int, of presentation: inout HLSPresentation,
        joinedAt: Double, at time: Double
    ) {
        guard presentation.isLive, let duration = player?.title.segmentDuration,
            !playlist.segments.isEmpty
        else { return }
        presentation.noteNewest(playlist, rendition: rendition)
        let epoch = presentation.epoch(
            playlist, rendition: rendition, duration: duration, joinedAt: joinedAt, at: time)
        learn(epoch: epoch, isDated: playlist.segments.contains { $0.programDateTime != nil })
    }
}
