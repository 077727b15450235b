import HLS

/// A playlist with its text as the writer makes it: the same table drives reader and writer.
struct PlaylistSample: Sendable, CustomStringConvertible {
    var name: String
    var text: String
    var playlist: HLSPlaylist

    var description: String { name }

    static let all: [PlaylistSample] = [
        PlaylistSample(
            name: "live TS",
            text: """
                #EXTM3U
                #EXT-X-VERSION:3
                #EXT-X-TARGETDURATION:2
                #EXT-X-INDEPENDENT-SEGMENTS
                #EXT-X-MEDIA-SEQUENCE:41
                #EXT-X-DISCONTINUITY-SEQUENCE:2
                #EXT-X-PROGRAM-DATE-TIME:2026-11-21T13:38:35.250Z
                #EXTINF:2.000,
                a-41.ts
                #EXT-X-DISCONTINUITY
                #EXTINF:1.966667,sunrise, later
                b-42.ts

                """,
            playlist: .media(
                MediaPlaylist(
                    version: 3, targetDuration: 2, mediaSequence: 41, discontinuitySequence: 2,
                    hasIndependentSegments: true,
                    segments: [
                        .init(
                            uri: "a-41.ts", duration: 2,
                            programDateTime: .init(millisecondsSince1970: 1_795_268_315_250)),
                        .init(
                            uri: "b-42.ts", duration: 1.966667, title: "sunrise, later",
                            isDiscontinuity: true),
                    ]))),
        PlaylistSample(
            name: "low latency fMP4",
            text: """
                #EXTM3U
                #EXT-X-VERSION:9
                #EXT-X-TARGETDURATION:2
                #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.000,HOLD-BACK=6.000,PART-HOLD-BACK=1.500
                #EXT-X-PART-INF:PART-TARGET=0.500
                #EXT-X-MEDIA-SEQUENCE:7
                #EXT-X-MAP:URI="init-1.mp4",BYTERANGE="720@0"
                #EXT-X-PART:DURATION=0.500,URI="s7.0.m4s",INDEPENDENT=YES
                #EXT-X-PART:DURATION=0.480,URI="s7.1.m4s",BYTERANGE="100@20"
                #EXTINF:0.980,
                s7.m4s
                #EXT-X-MAP:URI="init-2.mp4"
                #EXT-X-PART:DURATION=0.500,URI="s8.0.m4s",INDEPENDENT=YES
                #EXT-X-PART:DURATION=0.500,URI="s8.1.m4s",GAP=YES
                #EXT-X-PRELOAD-HINT:TYPE=PART,URI="s8.2.m4s"
                #EXT-X-PRELOAD-HINT:TYPE=MAP,URI="all.mp4",BYTERANGE-START=720,BYTERANGE-LENGTH=40
                #EXT-X-RENDITION-REPORT:URI="../cam_480p/index.m3u8",LAST-MSN=8,LAST-PART=1

                """,
            playlist: .media(
                MediaPlaylist(
                    version: 9, targetDuration: 2, mediaSequence: 7,
                    serverControl: .init(
                        canBlockReload: true, canSkipUntil: 12, holdBack: 6, partHoldBack: 1.5),
                    partTarget: 0.5,
                    segments: [
                        .init(
                            uri: "s7.m4s", duration: 0.98,
                            map: .init(
                                uri: "init-1.mp4", byteRange: .init(length: 720, offset: 0)),
                            parts: [
                                .init(uri: "s7.0.m4s", duration: 0.5, isIndependent: true),
                                .init(
                                    uri: "s7.1.m4s", duration: 0.48,
                                    byteRange: .init(length: 100, offset: 20)),
                            ])
                    ],
                    partialSegment: .init(
                        parts: [
                            .init(uri: "s8.0.m4s", duration: 0.5, isIndependent: true),
                            .init(uri: "s8.1.m4s", duration: 0.5, isGap: true),
                        ], map: .init(uri: "init-2.mp4")),
                    preloadHints: [
                        .init(uri: "s8.2.m4s"),
                        .init(
                            kind: .map, uri: "all.mp4", byteRangeStart: 720, byteRangeLength: 40),
                    ],
                    renditionReports: [
                        .init(uri: "../cam_480p/index.m3u8", lastSequence: 8, lastPart: 1)
                    ]))),
        PlaylistSample(
            name: "VOD with ranges and a key",
            text: """
                #EXTM3U
                #EXT-X-VERSION:4
                #EXT-X-TARGETDURATION:10
                #EXT-X-PLAYLIST-TYPE:VOD
                #EXT-X-START:TIME-OFFSET=-12.500,PRECISE=YES
                #EXT-X-MEDIA-SEQUENCE:0
                #EXT-X-KEY:METHOD=AES-128,URI="k?a=1,b=2",IV=0x0F,KEYFORMAT="identity"
                #EXT-X-BITRATE:800
                #EXTINF:9.009,
                #EXT-X-BYTERANGE:1000@0
                all.ts
                #EXT-X-KEY:METHOD=NONE
                #EXT-X-GAP
                #EXTINF:3.003,
                #EXT-X-BYTERANGE:500@1000
                all.ts
                #EXT-X-ENDLIST

                """,
            playlist: .media(
                MediaPlaylist(
                    version: 4, targetDuration: 10, type: .vod, hasEndList: true,
                    start: .init(timeOffset: -12.5, isPrecise: true),
                    segments: [
                        .init(
                            uri: "all.ts", duration: 9.009,
                            byteRange: .init(length: 1000, offset: 0),
                            key: .init(
                                method: "AES-128", uri: "k?a=1,b=2", initializationVector: "0x0F",
                                keyFormat: "identity"), bitrateKilobits: 800),
                        .init(
                            uri: "all.ts", duration: 3.003,
                            byteRange: .init(length: 500, offset: 1000), isGap: true,
                            key: .init(method: "NONE"), bitrateKilobits: 800),
                    ]))),
        PlaylistSample(
            name: "delta update",
            text: """
                #EXTM3U
                #EXT-X-VERSION:9
                #EXT-X-TARGETDURATION:4
                #EXT-X-MEDIA-SEQUENCE:100
                #EXT-X-SKIP:SKIPPED-SEGMENTS=3
                #EXTINF:4.000,
                103.ts

                """,
            playlist: .media(
                MediaPlaylist(
                    version: 9, targetDuration: 4, mediaSequence: 100, skippedSegments: 3,
                    segments: [.init(uri: "103.ts", duration: 4)]))),
        PlaylistSample(
            name: "multivariant",
            text: """
                #EXTM3U
                #EXT-X-VERSION:6
                #EXT-X-INDEPENDENT-SEGMENTS
                #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aud",NAME="English, \
                stereo",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a/index.m3u8"
                #EXT-X-STREAM-INF:BANDWIDTH=2800000,AVERAGE-BANDWIDTH=2628000,\
                CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO="aud"
                720/index.m3u8
                #EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2",CLOSED-CAPTIONS=NONE
                sound/index.m3u8
                #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,CODECS="avc1.64001f",\
                RESOLUTION=1280x720,URI="720/iframes.m3u8"

                """,
            playlist: .multivariant(
                MultivariantPlaylist(
                    version: 6, hasIndependentSegments: true,
                    renditions: [
                        .init(
                            kind: .audio, groupID: "aud", name: "English, stereo",
                            uri: "a/index.m3u8", language: "en", isDefault: true,
                            isAutoselect: true, channels: "2")
                    ],
                    variants: [
                        .init(
                            uri: "720/index.m3u8", bandwidth: 2_800_000,
                            averageBandwidth: 2_628_000, codecs: ["avc1.64001f", "mp4a.40.2"],
                            resolution: .init(width: 1280, height: 720), frameRate: 29.97,
                            audioGroup: "aud"),
                        .init(
                            uri: "sound/index.m3u8", bandwidth: 64_000, codecs: ["mp4a.40.2"],
                            closedCaptions: "NONE"),
                    ],
                    iFrameStreams: [
                        .init(
                            uri: "720/iframes.m3u8", bandwidth: 90_000, codecs: ["avc1.64001f"],
                            resolution: .init(width: 1280, height: 720))
                    ]))),
    ]
}
