import Testing

@testable import HLS

/// Each test plants one violation, and clean playlists have none.
@Suite struct ValidatorTests {
    private static let clean = """
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-TARGETDURATION:4
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24.0,PART-HOLD-BACK=1.5
        #EXT-X-PART-INF:PART-TARGET=0.5
        #EXT-X-MEDIA-SEQUENCE:10
        #EXT-X-DISCONTINUITY-SEQUENCE:1
        #EXT-X-MAP:URI="init.mp4"
        #EXT-X-PROGRAM-DATE-TIME:2026-11-21T13:38:00.000Z
        #EXTINF:4.000,
        s10.m4s
        #EXTINF:4.000,
        s11.m4s
        #EXT-X-PROGRAM-DATE-TIME:2026-11-21T13:38:08.000Z
        #EXT-X-PART:DURATION=0.5,URI="s12.0.m4s",INDEPENDENT=YES
        #EXT-X-PART:DURATION=0.5,URI="s12.1.m4s"
        #EXT-X-PART:DURATION=0.2,URI="s12.2.m4s"
        #EXTINF:1.200,
        s12.m4s
        #EXTINF:4.000,
        s13.m4s
        #EXT-X-PART:DURATION=0.5,URI="s14.0.m4s",INDEPENDENT=YES
        #EXT-X-PRELOAD-HINT:TYPE=PART,URI="s14.1.m4s"
        #EXT-X-RENDITION-REPORT:URI="../b/index.m3u8",LAST-MSN=14,LAST-PART=0

        """

    private static let multivariant = """
        #EXTM3U
        #EXT-X-VERSION:6
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",DEFAULT=YES,URI="a.m3u8"
        #EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=2600000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="a"
        720p.m3u8
        #EXT-X-STREAM-INF:BANDWIDTH=130000,CODECS="mp4a.40.2",AUDIO="a"
        audio.m3u8

        """

    @Test func cleanPlaylistsBreakNothing() {
        #expect(PlaylistValidator.check(Self.clean, at: "x").violations == [])
        #expect(PlaylistValidator.check(Self.multivariant, at: "x").violations == [])
    }

    /// The URIs of gaps name nothing: they may be equal, and of any kind.
    @Test func gapsNameNothing() {
        let gap = "#EXT-X-GAP\n#EXTINF:4.000,\ngap.mp4\n"
        let text =
            "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n"
            + gap + gap + "#EXTINF:4.000,\na.ts\n#EXT-X-ENDLIST\n"
        let found = PlaylistValidator.check(text, at: "x").violations
        #expect(found.filter { $0.rule.id != "version-too-high" } == [])
    }

    /// A file of WebVTT may begin with a byte order mark (WebVTT, 4.1).
    @Test func subtitlesMayBeginWithAByteOrderMark() {
        let bytes = Array("\u{FEFF}WEBVTT\n\n".utf8)
        #expect(bytes.withUnsafeBytes { SegmentInspection.inspect($0) }.container == .webVTT)
    }

    struct Plant: Sendable, CustomTestStringConvertible {
        var rule: ValidationRule
        var from: String
        var to: String

        init(_ rule: ValidationRule, _ from: String, _ to: String) {
            self.rule = rule
            self.from = from
            self.to = to
        }

        var testDescription: String { "\(rule.id): \(to)" }
    }

    private static let plants: [Plant] = [
        Plant(.unreadable, "#EXTM3U\n", ""),
        Plant(.duplicateTag, "#EXT-X-VERSION:6\n", "#EXT-X-VERSION:6\n#EXT-X-VERSION:6\n"),
        Plant(.tagOrder, "s10.m4s\n", "s10.m4s\n#EXT-X-MEDIA-SEQUENCE:10\n"),
        Plant(.targetNotWhole, "DURATION:4\n", "DURATION:3.9\n"),
        Plant(.extinfExceedsTarget, "#EXTINF:4.000,\ns11", "#EXTINF:4.500,\ns11"),
        Plant(.versionTooLow, "VERSION:6", "VERSION:5"),
        Plant(.versionTooLow, "#EXT-X-VERSION:6\n", ""),
        Plant(.versionTooHigh, "VERSION:6", "VERSION:11"),
        Plant(.mapMissing, "#EXT-X-MAP:URI=\"init.mp4\"\n", ""),
        Plant(.dateDrift, "13:38:08.000Z", "13:38:08.200Z"),
        Plant(.dateNotMonotone, "13:38:08.000Z", "13:37:59.000Z"),
        Plant(.segmentTwice, "s11.m4s", "s10.m4s"),
        Plant(.partInfMissing, "#EXT-X-PART-INF:PART-TARGET=0.5\n", ""),
        Plant(.partExceedsTarget, "DURATION=0.5,URI=\"s14.0", "DURATION=0.6,URI=\"s14.0"),
        Plant(.partTooShort, "DURATION=0.5,URI=\"s12.1", "DURATION=0.4,URI=\"s12.1"),
        Plant(.partsDifferFromSegment, "EXTINF:1.200", "EXTINF:1.300"),
        Plant(.partHoldBackMissing, ",PART-HOLD-BACK=1.5", ""),
        Plant(.partHoldBackShort, "PART-HOLD-BACK=1.5", "PART-HOLD-BACK=0.9"),
        Plant(.partHoldBackLow, "PART-HOLD-BACK=1.5", "PART-HOLD-BACK=1.25"),
        Plant(.holdBackShort, "PART-HOLD-BACK=1.5", "PART-HOLD-BACK=1.5,HOLD-BACK=11"),
        Plant(.canSkipUntilShort, "CAN-SKIP-UNTIL=24.0", "CAN-SKIP-UNTIL=23.0"),
        Plant(.noBlockingReload, "CAN-BLOCK-RELOAD=YES,", ""),
        Plant(
            .hintMissing, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"s14.1.m4s\"\n", ""),
        Plant(.hintAfterEnd, "#EXT-X-RENDITION", "#EXT-X-ENDLIST\n#EXT-X-RENDITION"),
        Plant(.reportNotRelative, "../b/index.m3u8", "http://x/b/index.m3u8"),
        Plant(.vodWithoutEnd, "#EXT-X-PART-INF", "#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-PART-INF"),
    ]

    @Test(arguments: plants) func plantedViolationsAreFound(plant: Plant) {
        #expect(Self.clean.contains(plant.from))
        let text = Self.clean.replacing(plant.from, with: plant.to)
        let violations = PlaylistValidator.check(text, at: "x").violations
        #expect(violations.contains { $0.rule == plant.rule }, "\(violations)")
    }

    private static let multivariantPlants: [Plant] = [
        Plant(.codecsMissing, "CODECS=\"avc1.64001f,mp4a.40.2\",", ""),
        Plant(.resolutionMissing, "RESOLUTION=1280x720,", ""),
        Plant(.frameRateMissing, "FRAME-RATE=30.000,", ""),
        Plant(.averageExceedsPeak, "AVERAGE-BANDWIDTH=2600000", "AVERAGE-BANDWIDTH=3000001"),
        Plant(.bandwidthZero, "BANDWIDTH=130000", "BANDWIDTH=0"),
        Plant(.groupUndefined, "FRAME-RATE=30.000,AUDIO=\"a\"", "FRAME-RATE=30.000,AUDIO=\"b\""),
        Plant(
            .renditionNameTwice, "#EXT-X-STREAM-INF:BANDWIDTH=130000",
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\"\n#EXT-X-STREAM-INF:BANDWIDTH=130000"
        ),
        Plant(
            .renditionDefaultTwice, "#EXT-X-STREAM-INF:BANDWIDTH=130000",
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\",DEFAULT=YES\n#EXT-X-STREAM-INF:BANDWIDTH=130000"
        ),
        Plant(
            .renditionURI, "#EXT-X-STREAM-INF:BANDWIDTH=130000",
            "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"x\"\n#EXT-X-STREAM-INF:BANDWIDTH=130000"
        ),
        Plant(.versionTooHigh, "VERSION:6", "VERSION:12"),
    ]

    @Test(arguments: multivariantPlants) func plantedInMultivariant(plant: Plant) {
        #expect(Self.multivariant.contains(plant.from))
        let text = Self.multivariant.replacing(plant.from, with: plant.to)
        let violations = PlaylistValidator.check(text, at: "x").violations
        #expect(violations.contains { $0.rule == plant.rule }, "\(violations)")
    }

    @Test func emptyAndUndatedPlaylists() {
        func rules(_ text: String) -> [String] {
            PlaylistValidator.check(text, at: "x").violations.map(\.rule.id)
        }
        #expect(rules("#EXTM3U\n#EXT-X-TARGETDURATION:4\n") == ["no-segments"])
        #expect(rules("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n") == ["date-missing"])
        #expect(
            rules("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n") == [])
        #expect(rules("") == ["playlist-unreadable"])
    }

    @Test func partsFarFromTheEndAreOld() {
        let part = MediaPlaylist.Part(uri: "p", duration: 1)
        var segments = (0..<8).map { MediaPlaylist.Segment(uri: "\($0)", duration: 1) }
        for index in segments.indices { segments[index].parts = [part] }
        let playlist = MediaPlaylist(
            targetDuration: 1,
            serverControl: .init(canBlockReload: true, partHoldBack: 3), partTarget: 1,
            segments: segments)
        let rules = PlaylistValidator.check(playlist, at: "x").map(\.rule)
        #expect(rules.contains(.partsTooOld))
    }

    @Test func aListIsBoundedAndCountsOnce() {
        var list = ViolationList()
        for number in 0..<ViolationList.limit + 5 {
            for _ in 0..<2 {
                list.add([Violation(.noCORS, at: "\(number)", "x")])
            }
        }
        #expect(list.violations.count == ViolationList.limit)
        #expect(list.warnings == ViolationList.limit)
        #expect(list.omitted == 10)
        #expect(list.errors == 0)
        var same = ViolationList()
        for number in 0..<20 { same.add([Violation(.noCORS, at: "x segment \(number)", "y")]) }
        #expect(same.violations.count == ViolationList.limitPerRule)
        #expect(same.omitted == 10)
    }
}
