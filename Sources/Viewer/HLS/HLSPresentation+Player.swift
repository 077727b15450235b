import ABR
import HLS
import HTTPWire

/// Reading of playlist responses, and the facts that the player and its requests need.
extension HLSPresentation {
    /// Result of a playlist response.
    enum News {
        /// The multivariant playlist has listed the renditions.
        case renditions
        /// The response is the playlist of a rendition, or an update of it.
        case media(MediaPlaylist, rendition: Int)
        /// The playlist cannot be played, for this reason.
        case unusable(String)
    }

    /// Reads a playlist.
    /// - Returns: its result, and the number of its lines that break a rule.
    /// - Throws: `PlaylistError` if the text is not a playlist.
    mutating func read(
        _ response: HLSPlayerResponse, to request: HLSPlayerRequest, sentAt: Double,
        maximumHeight: Int?
    ) throws -> (news: News?, badLines: Int) {
        let text = String(decoding: response.body, as: UTF8.self)
        let read = try HLSPlaylistCache.shared.read(
            text, PlaylistVariables(imported: variables, query: response.url.parameters))
        let badLines = read.faults.count
        switch (request.purpose, read.playlist) {
        case (.entry, .multivariant(let playlist)):
            receive(playlist, from: response.url, maximumHeight: maximumHeight)
            guard renditions.isEmpty else { return (.renditions, badLines) }
            let why =
                playlist.variants.isEmpty
                ? read.faults.first.map { "\($0)" } ?? "it has no EXT-X-STREAM-INF"
                : "none of its URIs is one of http or https"
            return (
                .unusable("\(request.url) names no rendition that can be played: \(why)"), badLines
            )
        case (.entry, .media(let playlist)):
            receive(only: playlist, from: request.url, sentAt: sentAt)
            return (.media(playlist, rendition: 0), badLines)
        case (.playlist(let rendition, _), .media(let playlist)):
            return (.media(playlist, rendition: rendition), badLines)
        case (_, .multivariant):
            return (
                .unusable("\(request.url) is a multivariant playlist, not a media playlist"),
                badLines
            )
        default: return (nil, badLines)
        }
    }

    /// Makes the player from the first playlist that lists a segment.
    func player(
        for playlist: MediaPlaylist, _ spec: HLSViewerSpec, _ algorithm: AlgorithmName
    ) throws -> Player {
        let duration = playlist.duration / Double(playlist.segments.count) * 1000
        let title = try Title(
            name: spec.url, segmentDuration: duration, bitrates: renditions.map(\.bitrate),
            segmentCount: isLive ? 1 : playlist.segments.count, heights: renditions.map(\.height))
        let parts = usesParts(playlist)
        let control = playlist.serverControl
        let held = parts ? control?.partHoldBack ?? control?.holdBack : control?.holdBack
        let target =
            spec.targetLatencyMilliseconds
            ?? (held ?? 3 * Double(playlist.targetDuration)) * 1000
        var configuration = spec.playerConfiguration(
            segmentDuration: duration, liveTarget: isLive ? target : nil)
        if isLive, parts, spec.startBufferMilliseconds == nil {
            configuration.startBuffer = min((playlist.partTarget ?? 0) * 1000 * 2, duration)
        }
        return try Player(title: title, configuration: configuration, algorithm: algorithm)
    }

    /// Returns the request for the resource that a step fetches; nil if the step fetches nothing.
    /// - Throws: `HTTPURL.Fault` if a URI cannot be resolved.
    func request(for step: Step, rendition: Int) throws -> HLSPlayerRequest? {
        guard let (purpose, uri, range) = step.resource else { return nil }
        var request = HLSPlayerRequest(
            purpose: purpose, url: try renditions[rendition].url.resolving(uri))
        request.range = range?.bytes
        return request
    }
}

extension HLSPresentation.Step {
    /// The resource that the step fetches, by its URI and range in the playlist; nil if the step
    /// fetches nothing.
    fileprivate var resource: (HLSPlayerRequest.Purpose, String, MediaPlaylist.ByteRange?)? {
        switch self {
        case .notListed, .gone, .gap, .partsEnd: nil
        case .initialization(let map): (.initialization, map.uri, map.byteRange)
        case .segment(let whole): (.segment, whole.uri, whole.byteRange)
        case .part(let part):
            (.part(duration: part.duration * 1000), part.uri, part.byteRange)
        }
    }
}
