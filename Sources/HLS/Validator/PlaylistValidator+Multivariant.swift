extension PlaylistValidator {
    /// Checks a multivariant playlist (RFC 8216, 4.3.4).
    public static func check(
        _ playlist: MultivariantPlaylist, at location: String
    ) -> [Violation] {
        var violations = renditions(playlist, at: location)
        if playlist.variants.isEmpty {
            violations.append(
                Violation(.noVariants, at: location, "there is no EXT-X-STREAM-INF"))
        }
        for variant in playlist.variants {
            let place = "\(location) variant \(variant.uri)"
            violations += attributes(variant, at: place)
            violations += groups(variant, playlist, at: place)
        }
        return violations
    }

    private static func attributes(
        _ variant: MultivariantPlaylist.Variant, at place: String
    ) -> [Violation] {
        var violations: [Violation] = []
        if variant.bandwidth == 0 {
            violations.append(
                Violation(.bandwidthZero, at: place, "BANDWIDTH is 0; it is the peak in bit/s"))
        }
        if let average = variant.averageBandwidth, average > variant.bandwidth {
            violations.append(
                Violation(
                    .averageExceedsPeak, at: place,
                    "AVERAGE-BANDWIDTH \(average) is more than BANDWIDTH \(variant.bandwidth)"))
        }
        if variant.codecs.isEmpty {
            violations.append(
                Violation(
                    .codecsMissing, at: place,
                    "CODECS is missing: players cannot tell whether they can play it"))
        }
        let isAudioOnly = !variant.codecs.isEmpty && !variant.codecs.contains(where: isVideo)
        guard !isAudioOnly else { return violations }
        if variant.resolution == nil {
            violations.append(
                Violation(.resolutionMissing, at: place, "RESOLUTION is missing for video"))
        }
        if variant.frameRate == nil {
            violations.append(
                Violation(.frameRateMissing, at: place, "FRAME-RATE is missing for video"))
        }
        return violations
    }

    /// Whether a CODECS entry (RFC 6381) is a video codec's.
    static func isVideo(_ codec: String) -> Bool {
        ["avc", "hvc", "hev", "dvh", "dva", "vp8", "vp9", "vp0", "av01", "mp4v"]
            .contains { codec.hasPrefix($0) }
    }

    private static func groups(
        _ variant: MultivariantPlaylist.Variant, _ playlist: MultivariantPlaylist, at place: String
    ) -> [Violation] {
        let captions = variant.closedCaptions == "NONE" ? nil : variant.closedCaptions
        let used: [(MultivariantPlaylist.Rendition.Kind, String?)] = [
            (.audio, variant.audioGroup), (.video, variant.videoGroup),
            (.subtitles, variant.subtitlesGroup), (.closedCaptions, captions),
        ]
        return used.compactMap { kind, group in
            guard let group,
                !playlist.renditions.contains(where: { $0.kind == kind && $0.groupID == group })
            else { return nil }
            return Violation(
                .groupUndefined, at: place,
                "\(kind.rawValue)=\"\(group)\" names a group that no EXT-X-MEDIA has")
        }
    }

    private static func renditions(
        _ playlist: MultivariantPlaylist, at location: String
    ) -> [Violation] {
        var violations: [Violation] = []
        var names: Set<[String]> = []
        var defaults: Set<[String]> = []
        for rendition in playlist.renditions {
            let group = [rendition.kind.rawValue, rendition.groupID]
            let place = "\(location) rendition \(rendition.groupID)/\(rendition.name)"
            if !names.insert(group + [rendition.name]).inserted {
                violations.append(
                    Violation(
                        .renditionNameTwice, at: place,
                        "two renditions of one group have this NAME"))
            }
            if rendition.isDefault, !defaults.insert(group).inserted {
                violations.append(
                    Violation(
                        .renditionDefaultTwice, at: place,
                        "a second rendition of the group has DEFAULT=YES"))
            }
            switch (rendition.kind, rendition.uri) {
            case (.closedCaptions, .some):
                violations.append(
                    Violation(.renditionURI, at: place, "CLOSED-CAPTIONS must have no URI"))
            case (.subtitles, nil):
                violations.append(
                    Violation(.renditionURI, at: place, "SUBTITLES must have a URI"))
            default: break
            }
        }
        return violations
    }
}
