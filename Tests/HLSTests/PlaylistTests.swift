import HLS
import SimulationKernel
import Testing

@Suite struct PlaylistTests {
    @Test(arguments: PlaylistSample.all) func bothDirections(_ sample: PlaylistSample) throws {
        #expect(sample.playlist.text == sample.text)
        #expect(try HLSPlaylist.parse(sample.text) == sample.playlist)
    }

    /// CR LF, comments, unknown tags, blanks at line ends and a missing last line break are
    /// accepted.
    @Test(arguments: PlaylistSample.all) func tolerated(_ sample: PlaylistSample) throws {
        var lines = sample.text.split(separator: "\n").map(String.init)
        lines.insert("# a comment", at: 1)
        lines.insert("#EXT-X-FROM-THE-FUTURE:A=1", at: 2)
        lines.insert("", at: 3)
        lines[lines.count - 1] += "  "
        #expect(try HLSPlaylist.parse(lines.joined(separator: "\r\n")) == sample.playlist)
    }

    @Test func defaultsAndLooseAttributes() throws {
        let media = try MediaPlaylist(
            parsing: """
                #EXTM3U
                #EXT-X-TARGETDURATION:5.2
                #EXT-X-BYTERANGE:10@5
                #EXTINF:5
                a.ts
                #EXTINF:4.1234567,
                #EXT-X-BYTERANGE:7
                a.ts
                """)
        #expect(media.version == 1)
        #expect(media.mediaSequence == 0)
        #expect(media.targetDuration == 6)
        #expect(media.segments.map(\.duration) == [5, 4.123457])
        #expect(media.segments[1].byteRange == .init(length: 7, offset: 15))
        #expect(media.nextSequence == 2)
        let multivariant = try MultivariantPlaylist(
            parsing: """
                #EXTM3U
                #EXT-X-MEDIA:TYPE=HOLOGRAM,GROUP-ID="x",NAME="y"
                #EXT-X-STREAM-INF: BANDWIDTH=7 , X-A="b,c" ,CODECS="avc1.42c01e, mp4a.40.2",
                v.m3u8
                """)
        #expect(multivariant.renditions.isEmpty)
        #expect(multivariant.variants[0].codecs == ["avc1.42c01e", "mp4a.40.2"])
    }

    /// A fuzzer found that version 0 was not written, and was read as 1 again.
    @Test func versionZero() {
        let text = Self.head + "#EXT-X-VERSION:0\n"
        Array(text.utf8).withUnsafeBytes { HLSFuzz.fuzzPlaylist($0) }
    }

    /// The largest numbers of a playlist do not overflow where a range ends.
    @Test func largestByteRange() throws {
        let most = (1 << 62) - 1
        let media = try MediaPlaylist(
            parsing: Self.head
                + "#EXT-X-BYTERANGE:\(most)@\(most)\n#EXTINF:2,\na.ts\n"
                + "#EXT-X-BYTERANGE:9\n#EXTINF:2,\na.ts\n")
        #expect(media.segments[0].byteRange?.bytes == most..<2 * most)
        #expect(media.segments[1].byteRange == .init(length: 9, offset: 2 * most))
        #expect(media.segments[1].byteRange?.bytes == nil)
        #expect(throws: PlaylistError.self) {
            try MediaPlaylist(
                parsing: Self.head + "#EXT-X-BYTERANGE:\(most + 1)@0\n#EXTINF:2,\na.ts\n")
        }
    }

    struct Bad: Sendable, CustomStringConvertible {
        var text: String
        var line: Int
        var code: PlaylistError.Code
        var description: String { text }
    }

    static let head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
    static let bad = [
        Bad(text: "", line: 0, code: .notAPlaylist),
        Bad(text: "<html>", line: 1, code: .notAPlaylist),
        Bad(text: "\u{FEFF}" + head, line: 1, code: .malformed),
        Bad(text: "#EXTM3U\n", line: 0, code: .mixed),
        Bad(text: "#EXTM3U\n#EXTINF:2,\na.ts", line: 0, code: .missing),
        Bad(text: head + "a.ts", line: 3, code: .missing),
        Bad(text: head + "#EXTINF:2,", line: 0, code: .missing),
        Bad(text: head + "#EXTINF:nan,\na.ts", line: 3, code: .malformed),
        Bad(text: head + "#EXTINF:-1,\na.ts", line: 3, code: .malformed),
        Bad(text: head + "#EXTINF:1e3,\na.ts", line: 3, code: .malformed),
        Bad(text: head + "#EXT-X-MEDIA-SEQUENCE:-1", line: 3, code: .malformed),
        Bad(
            text: head + "#EXT-X-MEDIA-SEQUENCE:99999999999999999999", line: 3, code: .malformed),
        Bad(text: head + "#EXT-X-BYTERANGE:5\n#EXTINF:2,\na.ts", line: 5, code: .malformed),
        Bad(text: head + "#EXT-X-BYTERANGE:5@x", line: 3, code: .malformed),
        Bad(text: head + "#EXT-X-MAP:BYTERANGE=\"5@0\"", line: 3, code: .missing),
        Bad(text: head + "#EXT-X-PART:URI=\"a\"", line: 3, code: .missing),
        Bad(text: head + "#EXT-X-PART:URI=\"a,DURATION=1", line: 3, code: .malformed),
        Bad(text: head + "#EXT-X-PART:URI=\"a\"x,DURATION=1", line: 3, code: .malformed),
        Bad(text: head + "#EXT-X-PART:DURATION", line: 3, code: .malformed),
        Bad(text: head + "#EXT-X-PART:URI=a\rb,DURATION=1", line: 3, code: .malformed),
        Bad(text: head + "#EXT-X-PROGRAM-DATE-TIME:yesterday", line: 3, code: .malformed),
        Bad(
            text: head + "#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1", line: 4,
            code: .malformed),
        Bad(text: head + "#EXT-X-STREAM-INF:BANDWIDTH=1\na", line: 3, code: .mixed),
        Bad(text: head + "#EXT-X-DEFINE:NAME=\"a\"", line: 3, code: .missing),
        Bad(text: head + "#EXT-X-DEFINE:IMPORT=\"a\"", line: 3, code: .undefinedVariable),
        Bad(text: head + "#EXT-X-DEFINE:QUERYPARAM=\"a\"", line: 3, code: .undefinedVariable),
        Bad(text: head + "#EXTINF:2,\n{$a}.ts", line: 4, code: .undefinedVariable),
        Bad(
            text: head + String(repeating: "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n", count: 2),
            line: 4, code: .malformed),
        Bad(text: "#EXTM3U\n#EXT-X-STREAM-INF:CODECS=\"a\"\nv", line: 2, code: .missing),
        Bad(text: "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", line: 0, code: .missing),
        Bad(
            text: "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=12\nv", line: 2,
            code: .malformed),
        Bad(text: "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"a\"\n", line: 2, code: .missing),
    ]

    @Test(arguments: bad) func refused(_ bad: Bad) {
        let error = #expect(throws: PlaylistError.self) { try HLSPlaylist.parse(bad.text) }
        #expect(error?.code == bad.code, "\(error?.description ?? "")")
        #expect(error?.line == bad.line, "\(error?.description ?? "")")
    }

    /// Each bad line is reported, and the others are read.
    @Test func oneBadLineDoesNotHideTheOthers() throws {
        let text =
            Self.head + """
                #EXT-X-MEDIA-SEQUENCE:7
                #EXTINF:2,
                a.ts
                #EXTINF:soon,
                b.ts
                #EXT-X-PROGRAM-DATE-TIME:yesterday
                #EXTINF:2,
                c.ts
                #EXT-X-BYTERANGE:9@x
                #EXTINF:1.5,
                d.ts
                """
        let (playlist, faults) = try HLSPlaylist.read(text)
        guard case .media(let media) = playlist else {
            Issue.record("it is a media playlist")
            return
        }
        #expect(faults.map(\.line) == [6, 8, 11])
        // A segment with an unreadable duration still counts, so that numbers stay those of the
        // server.
        #expect(media.segments.map(\.uri) == ["a.ts", "b.ts", "c.ts", "d.ts"])
        #expect(media.nextSequence == 11)
    }

    /// A byte range at an unknown place is a fault; its segment still has its number, and begins at
    /// the position from which players read it.
    @Test func segmentsWithoutAPlaceOfTheirRangeKeepTheirNumbers() throws {
        let (playlist, faults) = try HLSPlaylist.read(
            Self.head + "#EXT-X-BYTERANGE:5\n#EXTINF:2,\na.ts\n#EXTINF:2,\nb.ts\n")
        guard case .media(let media) = playlist else {
            Issue.record("it is a media playlist")
            return
        }
        #expect(faults.map(\.line) == [5])
        #expect(media.segments.map(\.uri) == ["a.ts", "b.ts"])
        #expect(media.segments.map(\.byteRange) == [.init(length: 5, offset: 0), nil])
    }

    /// One attribute that cannot be read does not remove the rendition.
    @Test(arguments: [
        "FRAME-RATE=30/1", "RESOLUTION=1280X720", "AVERAGE-BANDWIDTH=2.5e6",
    ])
    func badAttributesOfAVariantAreTold(_ attribute: String) throws {
        let (playlist, faults) = try HLSPlaylist.read(
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=5,\(attribute),AUDIO=\"a\"\nx.m3u8\n")
        guard case .multivariant(let multivariant) = playlist else {
            Issue.record("it is a multivariant playlist")
            return
        }
        #expect(multivariant.variants.map(\.uri) == ["x.m3u8"])
        #expect(multivariant.variants.first?.audioGroup == "a")
        #expect(faults.map(\.line) == [2])
    }

    /// RFC 8216, 4.1, forbids a byte order mark; players that read text never see it.
    @Test(arguments: ["\u{FEFF}#EXTM3U", "#EXTM3U ", "#EXTM3U x-tvg-url=\"a\""])
    func looseFirstLinesAreToldAndRead(_ first: String) throws {
        let (playlist, faults) = try HLSPlaylist.read(
            first + "\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n")
        guard case .media(let media) = playlist else {
            Issue.record("it is a media playlist")
            return
        }
        #expect(media.segments.map(\.uri) == ["a.ts"])
        #expect(faults.map(\.line) == (first == "#EXTM3U " ? [] : [1]))
    }

    @Test func variantsWithoutBandwidthAreRead() throws {
        let (playlist, faults) = try HLSPlaylist.read(
            "#EXTM3U\n#EXT-X-STREAM-INF:RESOLUTION=1x1\na\n#EXT-X-STREAM-INF:BANDWIDTH=x\nb\n#EXT-X-STREAM-INF:BANDWIDTH=5\nc\n"
        )
        guard case .multivariant(let multivariant) = playlist else {
            Issue.record("it is a multivariant playlist")
            return
        }
        #expect(multivariant.variants.map(\.uri) == ["a", "b", "c"])
        #expect(multivariant.variants.map(\.bandwidth) == [0, 0, 5])
        #expect(faults.map(\.line) == [2, 4])
    }

    /// A decimal-integer goes up to 2^64 - 1 (RFC 8216, 4.2); case 10 has nanoseconds.
    @Test(arguments: [
        "0", "1700000000000000000", "9223372036854775807", "9223372036854775808",
        "18446744073709551613", "18446744073709551615",
    ])
    func mediaSequencesHave64Bits(_ number: String) throws {
        let text =
            Self.head
            + "#EXT-X-MEDIA-SEQUENCE:\(number)\n#EXT-X-DISCONTINUITY-SEQUENCE:\(number)\n"
            + "#EXTINF:2,\na.ts\n#EXTINF:2,\nb.ts\n"
        let media = try MediaPlaylist(parsing: text)
        if number != "0" {
            #expect(media.text.contains("#EXT-X-DISCONTINUITY-SEQUENCE:\(number)\n"))
        }
        #expect(MediaPlaylist.sequenceText(media.mediaSequence) == number)
        #expect(media.text.contains("#EXT-X-MEDIA-SEQUENCE:\(number)\n"))
        #expect(media.nextSequence &- media.mediaSequence == 2)
        let merged = try media.merging(delta: media.skipping(1))
        #expect(merged.segments == media.segments)
        #expect(
            PlaylistValidator.check(text, at: "x").violations.allSatisfy {
                $0.rule.severity != .error
            })
    }

    /// Variables are substituted as rfc8216bis, 4.3 and 4.4.2.3 say (case 22).
    @Test func variablesAreSubstituted() throws {
        let variables = PlaylistVariables(
            imported: ["host": "http://cdn/x"], query: ["tok": "a b"])
        let text =
            "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-DEFINE:NAME=\"dir\",VALUE=\"seg\"\n#EXT-X-DEFINE:IMPORT=\"host\"\n#EXT-X-DEFINE:QUERYPARAM=\"tok\"\n#EXT-X-DEFINE:NAME=\"both\",VALUE=\"{$host}/{$dir}\"\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"{$both}/init.mp4\"\n#EXTINF:2,{$dir} is no reference here\n{$both}/1.m4s?t={$tok}&u={x}{$\n"
        guard case .media(let media) = try HLSPlaylist.parse(text, variables: variables) else {
            Issue.record("it is a media playlist")
            return
        }
        #expect(media.segments[0].uri == "http://cdn/x/seg/1.m4s?t=a b&u={x}{$")
        #expect(media.segments[0].map?.uri == "http://cdn/x/seg/init.mp4")
        #expect(media.segments[0].title == "{$dir} is no reference here")
    }

    @Test func variablesOfAMultivariantPlaylistAreWrittenAgain() throws {
        let text =
            "#EXTM3U\n#EXT-X-DEFINE:NAME=\"q\",VALUE=\"1\"\n#EXT-X-STREAM-INF:BANDWIDTH=5\nv{$q}.m3u8\n"
        let playlist = try MultivariantPlaylist(parsing: text)
        #expect(playlist.variants[0].uri == "v1.m3u8")
        #expect(playlist.variables == ["q": "1"])
        #expect(try MultivariantPlaylist(parsing: playlist.text) == playlist)
    }

    /// A key applies to the initialization sections behind it (RFC 8216, 4.3.2.4; case 07).
    @Test func keysApplyToInitializationSections() throws {
        let text =
            Self.head
            + "#EXT-X-MAP:URI=\"0.mp4\"\n#EXTINF:2,\n0.ts\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1\n#EXT-X-MAP:URI=\"1.mp4\"\n#EXTINF:2,\n1.ts\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-MAP:URI=\"2.mp4\"\n#EXTINF:2,\n2.ts\n"
        let media = try MediaPlaylist(parsing: text)
        #expect(media.segments.map { $0.map?.key?.method } == [nil, "AES-128", nil])
        #expect(try MediaPlaylist(parsing: media.text) == media)
    }

    @Test func limits() {
        var limits = PlaylistLimits()
        limits.bytes = 100
        limits.lines = 4
        limits.lineBytes = 30
        limits.attributes = 2
        for text in [
            Self.head + String(repeating: "\n", count: 90), Self.head + "\n\n\n\n",
            Self.head + "#" + String(repeating: "x", count: 40),
            Self.head + "#EXT-X-PART:A=1,B=2,C=3",
        ] {
            let error = #expect(throws: PlaylistError.self) {
                try HLSPlaylist.parse(text, limits: limits)
            }
            #expect(error?.code == .tooLarge)
        }
    }

    @Test func quotesAndLineBreaksCannotEscapeAnAttribute() throws {
        let playlist = MultivariantPlaylist(
            renditions: [.init(kind: .audio, groupID: "a\",URI=\"evil", name: "b\r\nc", uri: "u")])
        let again = try MultivariantPlaylist(parsing: playlist.text)
        #expect(again.renditions[0].groupID == "a',URI='evil")
        #expect(again.renditions[0].name == "b  c")
    }
}

@Suite struct ProgramDateTimeTests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00.000Z", 0), ("1969-12-31T23:59:59.999Z", -1),
            ("2000-02-29T12:00:00.500Z", 951_825_600_500),
            ("2100-03-01T00:00:00.000Z", 4_107_542_400_000),
            ("2026-11-21T13:38:35.250Z", 1_795_268_315_250),
            ("1600-02-29T00:00:00.000Z", -11_670_998_400_000),
        ] as [(String, Int64)])
    func bothDirections(_ text: String, _ milliseconds: Int64) {
        #expect(ProgramDateTime(millisecondsSince1970: milliseconds).description == text)
        #expect(ProgramDateTime(text[...])?.millisecondsSince1970 == milliseconds)
    }

    @Test(arguments: [
        "2026-11-21T14:38:35.250999+01:00", "2026-11-21T08:08:35.25-0530",
        "2026-11-21T15:38:35.250+02", "2026-11-21 13:38:35.250", "2026-11-21T13:38:35.25z",
    ])
    func zones(_ text: String) {
        #expect(ProgramDateTime(text[...])?.millisecondsSince1970 == 1_795_268_315_250)
    }

    @Test(arguments: [
        "", "2026-11-21", "2026-13-21T13:38:35Z", "2026-11-21T24:38:35Z", "2026-11-21T13:38:35ZZ",
        "2026-11-21T13:38:35+", "2026-11-21T13:38:35+0", "2026-11-21T13:38:35+01:0",
        "x026-11-21T13:38:35Z",
    ])
    func refused(_ text: String) { #expect(ProgramDateTime(text[...]) == nil) }

    /// Every day of eight centuries is converted once forward and back.
    @Test func everyDay() {
        for day in Int64(-146_097)...146_097 {
            let date = ProgramDateTime(millisecondsSince1970: day * 86_400_000 + 1)
            #expect(ProgramDateTime(date.description[...]) == date)
        }
    }
}
