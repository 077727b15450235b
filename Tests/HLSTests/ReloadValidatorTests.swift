import Testing

@testable import HLS

/// Reloads, variants, bandwidth and responses with one fault each are judged.
@Suite struct ReloadValidatorTests {
    private func segment(_ number: Int, _ duration: Double = 2) -> MediaPlaylist.Segment {
        .init(uri: "\(number).ts", duration: duration)
    }

    private func playlist(_ numbers: Range<Int>) -> MediaPlaylist {
        MediaPlaylist(
            targetDuration: 2, mediaSequence: numbers.lowerBound,
            segments: numbers.map { segment($0) })
    }

    /// Returns the rules that the second of two playlists breaks.
    private func rules(
        _ first: MediaPlaylist, _ second: MediaPlaylist, after seconds: Double = 2
    ) -> [String] {
        var validator = ReloadValidator(location: "x")
        #expect(validator.receive(first, atSeconds: 0).isEmpty)
        return validator.receive(second, atSeconds: seconds).map(\.rule.id)
    }

    @Test func aSlidingWindowBreaksNothing() {
        var validator = ReloadValidator(location: "x")
        for step in 0..<50 {
            let violations = validator.receive(
                playlist(step..<step + 6), atSeconds: Double(2 * step))
            #expect(violations.isEmpty, "\(violations)")
        }
    }

    /// Memory is bounded, whatever the numbers are: those of a stream that begins anew after a long
    /// one, and those beyond 2^63.
    @Test(arguments: [0, Int.min, -5])
    func memoryIsBoundedWhereverNumbersBegin(_ second: Int) {
        func long(_ first: Int) -> MediaPlaylist {
            MediaPlaylist(
                targetDuration: 2, mediaSequence: first,
                segments: (0..<ReloadValidator.memory + 5).map { segment($0) })
        }
        var validator = ReloadValidator(location: "x")
        _ = validator.receive(long(1_000_000), atSeconds: 0)
        _ = validator.receive(long(second), atSeconds: 2)
        #expect(validator.rememberedSegments == ReloadValidator.memory)
    }

    @Test func faultsOfReloads() {
        let first = playlist(5..<10)
        func changed(_ change: (inout MediaPlaylist) -> Void) -> MediaPlaylist {
            var second = playlist(6..<11)
            change(&second)
            return second
        }
        #expect(rules(first, changed { _ in }) == [])
        #expect(rules(first, changed { $0.targetDuration = 3 }) == ["target-changed"])
        #expect(rules(first, playlist(4..<9)).contains("media-sequence-decreased"))
        #expect(rules(first, playlist(5..<9)) == ["media-sequence-decreased"])
        #expect(rules(first, changed { $0.mediaSequence = 5 }).contains("segment-changed"))
        #expect(rules(first, changed { $0.segments[0].duration = 1.9 }) == ["segment-changed"])
        #expect(rules(first, changed { $0.segments[0].uri = "new" }) == ["segment-changed"])
        #expect(
            rules(first, changed { $0.discontinuitySequence = 1 }).first
                == "discontinuity-sequence")
        #expect(rules(first, first, after: 3.9) == [])
        #expect(rules(first, first, after: 4.1) == ["playlist-stale"])
        var ended = first
        ended.hasEndList = true
        #expect(rules(ended, changed { _ in }) == ["endlist-removed"])
        #expect(rules(ended, ended, after: 100) == [])
        var event = first
        event.type = .event
        #expect(rules(event, changed { $0.type = .event }) == ["playlist-type-violated"])
    }

    @Test func aRemovedDiscontinuityIsCounted() {
        var first = playlist(5..<10)
        first.segments[0].isDiscontinuity = true
        var second = playlist(6..<11)
        second.discontinuitySequence = 1
        #expect(rules(first, second) == [])
        second.discontinuitySequence = 0
        #expect(rules(first, second).contains("discontinuity-sequence"))
    }

    @Test func datesAndPartsAreForEver() {
        var first = playlist(5..<10)
        first.segments[3].programDateTime = .init(millisecondsSince1970: 1000)
        first.partialSegment = .init(parts: [.init(uri: "10.0", duration: 0.5)])
        var second = playlist(6..<11)
        second.segments[2].programDateTime = .init(millisecondsSince1970: 1000)
        second.segments[4].parts = [
            .init(uri: "10.0", duration: 0.5), .init(uri: "10.1", duration: 1.5),
        ]
        #expect(rules(first, second) == [])
        var dated = second
        dated.segments[2].programDateTime = .init(millisecondsSince1970: 1001)
        #expect(rules(first, dated) == ["date-changed"])
        second.segments[4].parts[0].uri = "other"
        #expect(rules(first, second) == ["part-changed"])
    }

    @Test func variantsAgree() {
        func rules(
            _ change: (inout VariantValidator.Member) -> Void
        ) -> [String] {
            var first = VariantValidator.Member(
                location: "a", playlist: playlist(5..<10), startSeconds: [5: 10, 6: 12])
            first.playlist.segments[0].programDateTime = .init(millisecondsSince1970: 50_000)
            var second = first
            second.location = "b"
            change(&second)
            return VariantValidator.check([first, second]).map(\.rule.id)
        }
        #expect(rules { _ in } == [])
        #expect(rules { $0.playlist.targetDuration = 3 } == ["variant-target-differs"])
        #expect(
            rules { $0.playlist.discontinuitySequence = 1 } == ["variant-discontinuity-differs"])
        #expect(rules { $0.startSeconds[6] = 12.1 } == ["variant-timestamps-differ"])
        #expect(
            rules { $0.playlist.segments[0].programDateTime = nil } == ["variant-date-missing"])
        #expect(
            rules {
                $0.playlist.segments[0].programDateTime = .init(millisecondsSince1970: 51_000)
            } == ["variant-dates-differ"])
        #expect(rules { $0.playlist.segments[4].duration = 1.5 } == ["variant-durations-differ"])
    }

    /// Numbers of two playlists say nothing about each other: another first number changes nothing.
    @Test(arguments: [10, 11, 20, 1000])
    func numbersOfVariantsMayDiffer(number: Int) {
        for (isDated, isTimed) in [(true, true), (true, false), (false, true), (false, false)] {
            for isLive in [false, true] where !isLive || isDated || isTimed {
                let pair = Variants(isDated, isTimed, isLive: isLive, number: number)
                let found = VariantValidator.check(pair.members)
                #expect(found == [], "\(isDated) \(isTimed) \(isLive)")
            }
        }
    }

    /// Two aligned renditions of five segments of 2 s.
    private struct Variants {
        var members: [VariantValidator.Member]

        /// - Parameter number: First number of the second rendition; that of the first is 10.
        init(_ isDated: Bool, _ isTimed: Bool, isLive: Bool = false, number: Int = 57) {
            members = [10, number].map { first in
                var playlist = MediaPlaylist(
                    targetDuration: 2, mediaSequence: first, type: isLive ? nil : .vod,
                    hasEndList: !isLive,
                    segments: (0..<5).map { .init(uri: "\($0).ts", duration: 2) })
                if isDated {
                    playlist.segments[0].programDateTime = .init(millisecondsSince1970: 50_000)
                }
                var member = VariantValidator.Member(location: "\(first)", playlist: playlist)
                if isTimed {
                    for index in 0..<5 {
                        member.startSeconds[first + index] = 100 + Double(index) * 2
                    }
                }
                return member
            }
        }

        /// Returns the rules broken once the second rendition is changed; they are found in either
        /// direction.
        func rules(_ change: (inout VariantValidator.Member) -> Void) -> [String] {
            var members = members
            change(&members[1])
            let rules = VariantValidator.check(members).map(\.rule.id)
            #expect(VariantValidator.check(members.reversed()).map(\.rule.id) == rules)
            return rules
        }

        func date(_ milliseconds: Int64) -> [String] {
            rules {
                $0.playlist.segments[0].programDateTime = .init(millisecondsSince1970: milliseconds)
            }
        }

        /// Rules broken if all timestamps are later.
        func timestamps(_ seconds: Double) -> [String] {
            rules { $0.startSeconds = $0.startSeconds.mapValues { $0 + seconds } }
        }
    }

    @Test func faultsOfVariantsAreFoundByTime() {
        let (dates, times) = (["variant-dates-differ"], ["variant-timestamps-differ"])
        let nothing = ["variant-not-compared"]
        for isLive in [false, true] {
            let both = Variants(true, true, isLive: isLive)
            for shift in [200, 1000, 3_600_000] {
                #expect(both.date(50_000 + Int64(shift)) == dates)
            }
            // The media at the same date differ, so one of the dates is wrong.
            #expect(both.date(54_000) == times)
            for shift in [0.1, 1, 2, 6, 3600] {
                #expect(both.timestamps(shift) == times, "\(shift)")
                #expect(both.timestamps(-shift) == times, "\(shift)")
            }
            let cut = both.rules {
                $0.playlist.segments[3].isDiscontinuity = true
                $0.playlist.segments[3].programDateTime = .init(millisecondsSince1970: 56_000)
            }
            #expect(cut == ["variant-discontinuity-differs"])
            #expect(
                both.rules { $0.playlist.segments[2].duration = 1.9 }.contains(
                    "variant-durations-differ"))
        }
        // Without timestamps, the place in a whole playlist determines the pairs; in a live one
        // nothing does.
        #expect(Variants(true, false).date(56_000) == dates)
        #expect(Variants(true, false).date(3_650_000) == dates)
        #expect(Variants(true, false, isLive: true).date(3_650_000) == nothing)
        #expect(Variants(true, false).date(51_000) == ["variant-durations-differ"])
        // The same holds without dates.
        for shift in [0.1, 1, 6, 3600] { #expect(Variants(false, true).timestamps(shift) == times) }
        #expect(Variants(false, true, isLive: true).timestamps(3600) == nothing)
        #expect(Variants(false, false, isLive: true).rules { _ in } == nothing)
        for (isTimed, isLive) in [(true, false), (false, false), (true, true)] {
            let undated = Variants(false, isTimed, isLive: isLive)
            #expect(
                undated.rules { $0.playlist.segments[3].isDiscontinuity = true }
                    == ["variant-discontinuity-differs"], "\(isTimed) \(isLive)")
            #expect(
                undated.rules { $0.playlist.discontinuitySequence = 1 }
                    == ["variant-discontinuity-differs"], "\(isTimed) \(isLive)")
            #expect(
                undated.rules { $0.playlist.segments[4].duration = 1.5 }
                    == ["variant-durations-differ"])
        }
        #expect(Variants(false, true, isLive: true).rules { $0.startSeconds[59] = 104.1 } == times)
    }

    /// Windows of live playlists were not read at the same moment, and segments have other lengths.
    @Test func conformantVariantsAreNotBlamed() {
        for (isDated, isTimed) in [(true, true), (true, false), (false, true)] {
            let later = Variants(isDated, isTimed, isLive: true).rules { member in
                member.playlist.segments.removeFirst(2)
                if isDated {
                    member.playlist.segments[0].programDateTime = .init(
                        millisecondsSince1970: 54_000)
                }
                member.startSeconds = [57: 104, 58: 106, 59: 108]
                if !isTimed { member.startSeconds = [:] }
            }
            #expect(later == [])
        }
        // Segments of 2 s against 1.5 s are no error.
        let other = Variants(true, true).rules { member in
            member.playlist.segments = (0..<6).map { .init(uri: "\($0)", duration: 1.5) }
            member.playlist.segments[0].programDateTime = .init(millisecondsSince1970: 50_000)
            for index in 0..<6 { member.startSeconds[57 + index] = 100 + Double(index) * 1.5 }
        }
        #expect(other == ["variant-durations-differ"])
        // A discontinuity that both list is the anchor.
        var cut = Variants(false, false, isLive: true)
        for index in 0..<2 {
            cut.members[index].playlist.segments[2].isDiscontinuity = true
            if index == 0 { cut.members[index].playlist.segments.removeFirst() }
        }
        #expect(cut.rules { _ in } == [])
        #expect(
            cut.rules { $0.playlist.segments[3].duration = 1.5 } == ["variant-durations-differ"])
    }

    @Test func renditionReportsAreThereAndCurrent() {
        var first = VariantValidator.Member(location: "h/a/i.m3u8", playlist: playlist(5..<10))
        first.playlist.partTarget = 0.5
        first.playlist.segments[0].programDateTime = .init(millisecondsSince1970: 50_000)
        var second = first
        second.location = "h/b/i.m3u8"
        #expect(
            VariantValidator.check([first, second]).map(\.rule)
                == [.reportMissing, .reportMissing])
        first.playlist.renditionReports = [.init(uri: "../b/i.m3u8", lastSequence: 9)]
        second.playlist.renditionReports = [.init(uri: "../a/i.m3u8", lastSequence: 4)]
        #expect(VariantValidator.check([first, second]).map(\.rule) == [.reportStale])
    }

    @Test func peaksAreOfWindows() {
        typealias Segment = BandwidthValidator.Segment
        // Each segment of six seconds is a window of its own.
        let even = (0..<4).map { Segment(duration: 6, bytes: 750_000 + 75_000 * $0) }
        #expect(BandwidthValidator.peak(even, targetDuration: 6) == 1_300_000)
        // Among segments of 0.2 s, one large one is not a window.
        var short = [Segment](repeating: Segment(duration: 0.2, bytes: 25_000), count: 50)
        #expect(
            abs((BandwidthValidator.peak(short, targetDuration: 2) ?? 0) - 1_000_000) < 1)
        short[20].bytes = 250_000
        #expect(
            abs((BandwidthValidator.peak(short, targetDuration: 2) ?? 0) - 2_800_000) < 1)
        #expect(BandwidthValidator.peak([], targetDuration: 2) == nil)
        let variant = MultivariantPlaylist.Variant(
            uri: "v", bandwidth: 1_200_000, averageBandwidth: 900_000)
        let long = [Segment](repeating: Segment(duration: 6, bytes: 750_000), count: 10)
        func rules(_ segments: [Segment], audio: Double = 0) -> [String] {
            BandwidthValidator.check(
                variant, [segments], targetDuration: 6, audioPeak: audio, at: "v"
            ).map(\.rule.id)
        }
        // A tenth more than declared is distinguished from an excess that stalls players; before
        // the last segment is made, the limit is a quarter.
        #expect(rules(even) == ["bandwidth-exceeded-slightly"])
        let steep = [Segment(duration: 6, bytes: 1_012_500)]
        #expect(rules(steep) == ["bandwidth-exceeded"])
        #expect(
            BandwidthValidator.check(
                variant, [steep], targetDuration: 6, isComplete: false, at: "v"
            ).map(\.rule.id) == ["bandwidth-exceeded-slightly"])
        #expect(rules(long) == ["average-bandwidth-exceeded"])
        #expect(rules(Array(long.prefix(3))) == [])
        #expect(rules(Array(long.prefix(3)), audio: 200_001) == ["bandwidth-exceeded-slightly"])
    }

    @Test func responses() {
        func playlist(_ headers: [String: String], url: String = "http://x/a.m3u8") -> [String] {
            ResponseValidator.playlist(
                .init(url: url, status: 200, headers: headers), isLive: true, targetDuration: 4
            ).map(\.rule.id)
        }
        let good = [
            "content-type": "application/vnd.apple.mpegurl; charset=utf-8",
            "access-control-allow-origin": "*", "cache-control": "public, max-age=2",
        ]
        func with(_ name: String, _ value: String?) -> [String: String] {
            var headers = good
            headers[name] = value
            return headers
        }
        #expect(playlist(good) == [])
        #expect(playlist(with("access-control-allow-origin", nil)) == ["cors-missing"])
        #expect(playlist(with("cache-control", "max-age=60")) == ["cache-playlist"])
        #expect(playlist(with("cache-control", nil)) == ["cache-playlist"])
        #expect(playlist(with("cache-control", "no-cache")) == [])
        #expect(
            playlist(with("content-type", "text/html"), url: "http://x/a") == [
                "playlist-content-type"
            ])
        func segment(_ headers: [String: String]) -> [String] {
            ResponseValidator.segment(
                .init(url: "http://x/a.ts", status: 200, headers: headers), targetDuration: 4
            ).map(\.rule.id)
        }
        let media = [
            "content-type": "video/mp2t", "access-control-allow-origin": "*",
            "cache-control": "max-age=3600",
        ]
        #expect(segment(media) == [])
        #expect(
            segment(["access-control-allow-origin": "*"]) == [
                "segment-content-type", "cache-segment",
            ])
        #expect(
            segment(media.merging(["cache-control": "no-store"]) { $1 }) == ["cache-segment"])
    }
}
