import HTTPWire

/// Checks of one playlist by itself (RFC 8216, 4 and 7).
public enum PlaylistValidator {
    /// Reads a playlist of either kind and checks it; one bad line does not end the check.
    ///
    /// - Parameter variables: Variables that EXT-X-DEFINE may import.
    /// - Returns: The playlist, or nil if it cannot be read, and its violations.
    public static func check(
        _ text: String, at location: String, variables: PlaylistVariables = PlaylistVariables()
    ) -> (playlist: HLSPlaylist?, violations: [Violation]) {
        let playlist: HLSPlaylist
        let faults: [PlaylistError]
        let lines: [PlaylistLine]
        do {
            (playlist, faults) = try HLSPlaylist.read(text, variables: variables)
            // The faults of lines have been reported.
            var told = PlaylistFaults()
            lines = try PlaylistLine.all(of: text, limits: PlaylistLimits(), faults: &told)
        } catch {
            return (nil, [Violation(.unreadable, at: location, error.description)])
        }
        var violations = faults.map { fault in
            Violation(
                fault.code == .undefinedVariable ? .variableUndefined : .lineInvalid,
                at: location, fault.description)
        }
        violations += tags(lines, at: location)
        violations += encoding(of: playlist, at: location)
        switch playlist {
        case .media(let media):
            violations += version(media, lines, at: location)
            violations += check(media, at: location)
        case .multivariant(let multivariant):
            violations += version(multivariant, lines, at: location)
            violations += check(multivariant, at: location)
        }
        return (playlist, violations)
    }

    /// Checks for URIs with blanks and other characters that a URI must not contain (RFC 3986, 2).
    private static func encoding(of playlist: HLSPlaylist, at location: String) -> [Violation] {
        let uris: [String]
        switch playlist {
        case .media(let media):
            let segments = media.segments.map(\.uri) + media.segments.compactMap(\.map?.uri)
            let parts =
                media.segments.flatMap(\.parts).map(\.uri)
                + (media.partialSegment?.parts.map(\.uri) ?? [])
            uris = segments + parts
        case .multivariant(let multivariant):
            uris =
                multivariant.variants.map(\.uri) + multivariant.renditions.compactMap(\.uri)
        }
        // A reference to a variable that is not defined has been reported.
        let isWrong = { (uri: String) in !URIReference.isEncoded(uri) && !uri.contains("{$") }
        guard let first = uris.first(where: isWrong) else { return [] }
        return [
            Violation(
                .uriNotEncoded, at: location,
                "the URI '\(first.printable(limit: 200))' holds characters that must be percent-encoded (RFC 3986, 2): '\(URIReference.percentEncoded(first))' is meant"
            )
        ]
    }

    /// Checks tags that may occur only once, and tags that must come before the first segment.
    private static func tags(_ lines: [PlaylistLine], at location: String) -> [Violation] {
        let once: Set<Substring> = [
            "EXT-X-VERSION", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE",
            "EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-PLAYLIST-TYPE", "EXT-X-PART-INF",
            "EXT-X-SERVER-CONTROL", "EXT-X-START",
        ]
        let early: Set<Substring> = ["EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE"]
        var seen: Set<Substring> = []
        var hasSegment = false
        var hasDiscontinuity = false
        var violations: [Violation] = []
        for line in lines {
            if line.isURI || line.name == "EXT-X-PART" { hasSegment = true }
            if line.name == "EXT-X-DISCONTINUITY" { hasDiscontinuity = true }
            if once.contains(line.name), !seen.insert(line.name).inserted {
                violations.append(
                    Violation(
                        .duplicateTag, at: location,
                        "\(line.name) stands twice, the second time in line \(line.number)"))
            }
            if early.contains(line.name),
                hasSegment || (line.name == "EXT-X-DISCONTINUITY-SEQUENCE" && hasDiscontinuity)
            {
                violations.append(
                    Violation(
                        .tagOrder, at: location,
                        "\(line.name) in line \(line.number) must stand before the first segment and any EXT-X-DISCONTINUITY"
                    ))
            }
            if line.name == "EXT-X-TARGETDURATION", PlaylistNumber.integer(line.value) == nil {
                violations.append(
                    Violation(
                        .targetNotWhole, at: location,
                        "EXT-X-TARGETDURATION is \(line.value); it takes whole seconds"))
            }
        }
        return violations
    }

    /// Checks the versions that features need (RFC 8216, 7; rfc8216bis, 8).
    private static func version(
        _ playlist: MediaPlaylist, _ lines: [PlaylistLine], at location: String
    ) -> [Violation] {
        var needs: [(version: Int, feature: String)] = []
        if playlist.segments.contains(where: { $0.key?.initializationVector != nil }) {
            needs.append((2, "an IV"))
        }
        if lines.contains(where: { line in
            line.name == "EXTINF" && line.value.prefix { $0 != "," }.contains(".")
        }) {
            needs.append((3, "EXTINF with a fraction"))
        }
        if lines.contains(where: { $0.name == "EXT-X-BYTERANGE" }) {
            needs.append((4, "EXT-X-BYTERANGE"))
        }
        if playlist.isIFramesOnly { needs.append((4, "EXT-X-I-FRAMES-ONLY")) }
        if playlist.segments.contains(where: { $0.key?.keyFormat != nil }) {
            needs.append((5, "KEYFORMAT"))
        }
        if lines.contains(where: { $0.name == "EXT-X-MAP" }) {
            needs.append(playlist.isIFramesOnly ? (5, "EXT-X-MAP") : (6, "EXT-X-MAP"))
        }
        if playlist.skippedSegments != nil { needs.append((9, "EXT-X-SKIP")) }
        needs += variables(lines)
        // A server may give whole playlists and delta updates one version.
        let isLowLatency = playlist.partTarget != nil || playlist.serverControl != nil
        return version(
            playlist.version, needs, allowed: isLowLatency ? 10 : 6, at: location)
    }

    private static func variables(
        _ lines: [PlaylistLine]
    ) -> [(version: Int, feature: String)] {
        let definitions = lines.filter { $0.name == "EXT-X-DEFINE" }
        guard !definitions.isEmpty else { return [] }
        return definitions.contains { $0.value.contains("QUERYPARAM=") }
            ? [(11, "EXT-X-DEFINE with QUERYPARAM")] : [(8, "EXT-X-DEFINE")]
    }

    private static func version(
        _ playlist: MultivariantPlaylist, _ lines: [PlaylistLine], at location: String
    ) -> [Violation] {
        var needs: [(version: Int, feature: String)] = []
        let services = lines.contains { line in
            line.name == "EXT-X-MEDIA"
                && (line.value.contains("INSTREAM-ID=\"SERVICE"))
        }
        if services { needs.append((7, "a SERVICE of INSTREAM-ID")) }
        needs += variables(lines)
        // The media playlists may be low-latency ones, and one version may serve all.
        return version(playlist.version, needs, allowed: 10, at: location)
    }

    private static func version(
        _ version: Int, _ needs: [(version: Int, feature: String)], allowed: Int,
        at location: String
    ) -> [Violation] {
        if let need = needs.filter({ $0.version > version }).max(by: { $0.version < $1.version }) {
            return [
                Violation(
                    .versionTooLow, at: location,
                    "EXT-X-VERSION is \(version), but \(need.feature) needs \(need.version)")
            ]
        }
        let needed = needs.map(\.version).max() ?? 1
        guard version > max(needed, allowed) else { return [] }
        return [
            Violation(
                .versionTooHigh, at: location,
                "EXT-X-VERSION is \(version), and \(needed) would do; older players refuse it")
        ]
    }
}
