extension PlaylistValidator {
    /// Seconds by which a date may differ from the sum of the durations.
    public static let dateTolerance = 0.1

    /// Checks a media playlist, or a delta update.
    public static func check(_ playlist: MediaPlaylist, at location: String) -> [Violation] {
        var violations = durations(playlist, at: location)
        violations += dates(playlist, at: location)
        violations += LowLatencyValidator.check(playlist, at: location)
        if playlist.segments.isEmpty, playlist.skippedSegments == nil,
            playlist.partialSegment == nil
        {
            violations.append(
                Violation(.noSegments, at: location, "the playlist has no segments"))
        }
        if playlist.type == .vod, !playlist.hasEndList {
            violations.append(
                Violation(
                    .vodWithoutEnd, at: location,
                    "EXT-X-PLAYLIST-TYPE is VOD, but EXT-X-ENDLIST is missing: players reload it"))
        }
        for (index, segment) in playlist.segments.enumerated()
        where segment.map == nil && !segment.isGap && isFragmentedMP4(segment.uri) {
            violations.append(
                Violation(
                    .mapMissing, at: place(location, playlist, index),
                    "\(segment.uri) looks like fragmented MP4, and no EXT-X-MAP is in force"))
            break
        }
        return violations
    }

    private static func durations(_ playlist: MediaPlaylist, at location: String) -> [Violation] {
        var violations: [Violation] = []
        var previous: (uri: String, range: MediaPlaylist.ByteRange?)?
        for (index, segment) in playlist.segments.enumerated() {
            if segment.duration.rounded() > Double(playlist.targetDuration) {
                violations.append(
                    Violation(
                        .extinfExceedsTarget, at: place(location, playlist, index),
                        "EXTINF is \(seconds(segment.duration)) s, rounded more than the target duration of \(playlist.targetDuration) s"
                    ))
            }
            // The URI of a gap names nothing that is loaded.
            if let previous, !segment.isGap, previous.uri == segment.uri,
                previous.range == segment.byteRange
            {
                violations.append(
                    Violation(
                        .segmentTwice, at: place(location, playlist, index),
                        "\(segment.uri) is the segment before it as well"))
            }
            previous = (segment.uri, segment.byteRange)
        }
        return violations
    }

    private static func dates(_ playlist: MediaPlaylist, at location: String) -> [Violation] {
        var violations: [Violation] = []
        /// The last date, and the seconds of media since then.
        var last: (date: ProgramDateTime, elapsed: Double)?
        for (index, segment) in playlist.segments.enumerated() {
            if let date = segment.programDateTime {
                if let known = last, date <= known.date {
                    violations.append(
                        Violation(
                            .dateNotMonotone, at: place(location, playlist, index),
                            "\(date) does not come after \(known.date)"))
                } else if let known = last, !segment.isDiscontinuity {
                    let passed =
                        Double(date.millisecondsSince1970 - known.date.millisecondsSince1970) / 1000
                    let difference = passed - known.elapsed
                    if abs(difference) > dateTolerance {
                        violations.append(
                            Violation(
                                .dateDrift, at: place(location, playlist, index),
                                "\(date) is \(seconds(difference)) s off: \(seconds(known.elapsed)) s of media came since \(known.date)"
                            ))
                    }
                }
                last = (date, 0)
            } else if segment.isDiscontinuity {
                last = nil
            }
            last?.elapsed += segment.duration
        }
        let hasDate = playlist.segments.contains { $0.programDateTime != nil }
        if !hasDate, playlist.partialSegment?.programDateTime == nil, !playlist.hasEndList,
            !playlist.segments.isEmpty, playlist.skippedSegments == nil
        {
            violations.append(
                Violation(
                    .dateMissing, at: location,
                    "a live playlist without EXT-X-PROGRAM-DATE-TIME: its latency cannot be measured"
                ))
        }
        return violations
    }

    static func partialDuration(_ playlist: MediaPlaylist) -> Double {
        playlist.partialSegment?.parts.reduce(0) { $0 + $1.duration } ?? 0
    }

    private static func isFragmentedMP4(_ uri: String) -> Bool {
        let path = uri.prefix { $0 != "?" && $0 != "#" }.lowercased()
        return [".m4s", ".mp4", ".m4v", ".cmfv", ".cmfa"].contains { path.hasSuffix($0) }
    }

    static func place(_ location: String, _ playlist: MediaPlaylist, _ index: Int) -> String {
        "\(location) segment \(MediaPlaylist.sequenceText(playlist.firstListedSequence &+ index))"
    }

    /// Formats seconds with up to three decimals.
    static func seconds(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
        var text = PlaylistNumber.text((value * 1000).rounded() / 1000)
        while text.hasSuffix("0") { text.removeLast() }
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }
}
