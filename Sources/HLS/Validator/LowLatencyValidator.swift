/// Checks the low-latency features of a media playlist (rfc8216bis, 4.4.3.7 to 4.4.5.4): parts,
/// preload hints, rendition reports and EXT-X-SERVER-CONTROL.
enum LowLatencyValidator {
    /// Tolerance for durations of parts in seconds, which covers rounding to three decimal places.
    private static let partTolerance = 0.0005

    /// Checks one playlist.
    static func check(_ playlist: MediaPlaylist, at location: String) -> [Violation] {
        var violations = serverControl(playlist, at: location)
        let hasParts =
            playlist.segments.contains { !$0.parts.isEmpty }
            || !(playlist.partialSegment?.parts.isEmpty ?? true)
        if hasParts, playlist.partTarget == nil {
            violations.append(
                Violation(
                    .partInfMissing, at: location,
                    "there are EXT-X-PART tags, but no EXT-X-PART-INF"
                ))
        }
        if let target = playlist.partTarget {
            for (index, segment) in playlist.segments.enumerated() where !segment.parts.isEmpty {
                let place = PlaylistValidator.place(location, playlist, index)
                violations += parts(segment.parts, target: target, at: place)
                let sum = segment.parts.reduce(0) { $0 + $1.duration }
                if abs(sum - segment.duration) > max(0.01, 0.001 * Double(segment.parts.count)) {
                    violations.append(
                        Violation(
                            .partsDifferFromSegment, at: place,
                            "its parts last \(PlaylistValidator.seconds(sum)) s, EXTINF says \(PlaylistValidator.seconds(segment.duration)) s"
                        ))
                }
            }
            if let partial = playlist.partialSegment {
                violations += parts(
                    partial.parts, target: target,
                    at: PlaylistValidator.place(location, playlist, playlist.segments.count))
            }
            violations += oldParts(playlist, at: location)
        }
        return violations + hintsAndReports(playlist, at: location)
    }

    private static func serverControl(
        _ playlist: MediaPlaylist, at location: String
    ) -> [Violation] {
        var violations: [Violation] = []
        func add(_ rule: ValidationRule, _ message: String) {
            violations.append(Violation(rule, at: location, message))
        }
        let control = playlist.serverControl
        let target = Double(playlist.targetDuration)
        if let partTarget = playlist.partTarget {
            if let holdBack = control?.partHoldBack {
                // The tolerance covers a value that was rounded down to three decimal places.
                if holdBack < 2 * partTarget - 0.001 {
                    add(
                        .partHoldBackShort,
                        "PART-HOLD-BACK is \(PlaylistValidator.seconds(holdBack)) s, less than twice the part target of \(PlaylistValidator.seconds(partTarget)) s"
                    )
                } else if holdBack < 3 * partTarget - 0.001 {
                    add(
                        .partHoldBackLow,
                        "PART-HOLD-BACK is \(PlaylistValidator.seconds(holdBack)) s; it should be three times the part target of \(PlaylistValidator.seconds(partTarget)) s"
                    )
                }
            } else {
                add(
                    .partHoldBackMissing,
                    "EXT-X-PART-INF asks for PART-HOLD-BACK in EXT-X-SERVER-CONTROL")
            }
            if control?.canBlockReload != true, !playlist.hasEndList {
                add(
                    .noBlockingReload,
                    "parts without CAN-BLOCK-RELOAD=YES: players have to poll for each part")
            }
        }
        if let holdBack = control?.holdBack, holdBack < 3 * target - 0.001 {
            add(
                .holdBackShort,
                "HOLD-BACK is \(PlaylistValidator.seconds(holdBack)) s, less than three target durations of \(PlaylistValidator.seconds(target)) s"
            )
        }
        if let until = control?.canSkipUntil, until < 6 * target - 0.001 {
            add(
                .canSkipUntilShort,
                "CAN-SKIP-UNTIL is \(PlaylistValidator.seconds(until)) s, less than six target durations of \(PlaylistValidator.seconds(target)) s"
            )
        }
        return violations
    }

    /// Checks the durations of parts. Shorter parts are allowed at a segment's end, before or at an
    /// independent part, and as gaps.
    private static func parts(
        _ parts: [MediaPlaylist.Part], target: Double, at place: String
    ) -> [Violation] {
        var violations: [Violation] = []
        for (index, part) in parts.enumerated() {
            if part.duration > target + partTolerance {
                violations.append(
                    Violation(
                        .partExceedsTarget, at: "\(place) part \(index)",
                        "it lasts \(PlaylistValidator.seconds(part.duration)) s, longer than PART-TARGET of \(PlaylistValidator.seconds(target)) s"
                    ))
            }
            let isLast = index == parts.count - 1
            if isLast || part.isGap || part.isIndependent || parts[index + 1].isIndependent {
                continue
            }
            if part.duration < 0.85 * target - partTolerance {
                violations.append(
                    Violation(
                        .partTooShort, at: "\(place) part \(index)",
                        "it lasts \(PlaylistValidator.seconds(part.duration)) s, less than 85 % of PART-TARGET of \(PlaylistValidator.seconds(target)) s"
                    ))
            }
        }
        return violations
    }

    /// Checks for parts that are far from the live edge, where they have no use.
    private static func oldParts(_ playlist: MediaPlaylist, at location: String) -> [Violation] {
        var distance = PlaylistValidator.partialDuration(playlist)
        let limit = 3 * Double(playlist.targetDuration)
        for (index, segment) in playlist.segments.enumerated().reversed() {
            // The limit is one target duration more than the rule's, because the parts may have
            // passed it only recently.
            if distance > limit + Double(playlist.targetDuration), !segment.parts.isEmpty {
                return [
                    Violation(
                        .partsTooOld, at: PlaylistValidator.place(location, playlist, index),
                        "it has parts \(PlaylistValidator.seconds(distance)) s from the end; they should go after three target durations"
                    )
                ]
            }
            distance += segment.duration
        }
        return []
    }

    private static func hintsAndReports(
        _ playlist: MediaPlaylist, at location: String
    ) -> [Violation] {
        var violations: [Violation] = []
        if playlist.hasEndList, let hint = playlist.preloadHints.first {
            violations.append(
                Violation(
                    .hintAfterEnd, at: location,
                    "EXT-X-PRELOAD-HINT of \(hint.uri) in a playlist that has ended"))
        }
        let isLive = !playlist.hasEndList && playlist.partTarget != nil
        if isLive, !playlist.preloadHints.contains(where: { $0.kind == .part }) {
            violations.append(
                Violation(
                    .hintMissing, at: location,
                    "no EXT-X-PRELOAD-HINT of the next part: players lose a round trip on each"))
        }
        for report in playlist.renditionReports where report.uri.contains("://") {
            violations.append(
                Violation(
                    .reportNotRelative, at: location,
                    "EXT-X-RENDITION-REPORT has the absolute URI \(report.uri); it takes a relative one"
                ))
        }
        return violations
    }
}
