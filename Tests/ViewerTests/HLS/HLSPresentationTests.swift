import HLS
import HTTPWire
import Testing

@testable import Viewer

/// What a viewer knows of a presentation, without a session around it.
@Suite struct HLSPresentationTests {
    private static func media(_ text: String) throws -> MediaPlaylist {
        guard case .media(let playlist) = try HLSPlaylist.read(text).playlist else {
            throw ViewerError(description: "no media playlist")
        }
        return playlist
    }

    /// A live playlist of segments `first` to `last` of 4 s; `gap` is marked as missing.
    private static func live(_ first: Int, _ last: Int, gap: Int? = nil) throws -> MediaPlaylist {
        var text =
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:\(first)\n#EXT-X-MAP:URI=\"init.mp4\"\n"
        for number in first...last {
            if number == gap { text += "#EXT-X-GAP\n" }
            text += "#EXTINF:4,\n\(number).m4s\n"
        }
        return try media(text)
    }

    /// A presentation of one rendition whose playlist lists segments 10 to 14, the player's 0 to 4.
    private static func presentation(gap: Int? = nil) throws -> HLSPresentation {
        var presentation = HLSPresentation(fetchesParts: true)
        let url = try HTTPURL("http://h/a/index.m3u8")
        let playlist = try live(10, 14, gap: gap)
        presentation.receive(only: playlist, from: url, sentAt: 100)
        let (whole, old) = try #require(
            try presentation.receive(playlist, rendition: 0, from: url, at: 150))
        #expect(whole == playlist && old == nil)
        presentation.isLive = true
        presentation.begin(with: whole, rendition: 0, duration: 4000)
        return presentation
    }

    private func name(_ step: HLSPresentation.Step) -> String {
        switch step {
        case .notListed: "not listed"
        case .gone(let oldest): "gone, \(oldest) is the oldest"
        case .gap: "gap"
        case .initialization(let map): map.uri
        case .segment(let segment): segment.uri
        case .part(let part): part.uri
        case .partsEnd(let segment): "parts of \(segment.uri)"
        }
    }

    @Test func theInitializationSectionComesFirst() throws {
        var presentation = try Self.presentation()
        #expect(presentation.alignment.newest == 4)
        #expect(name(presentation.step(2, rendition: 0, after: nil)) == "init.mp4")
        presentation.receiveInitialization(for: 2, rendition: 0)
        #expect(name(presentation.step(2, rendition: 0, after: nil)) == "12.m4s")
        #expect(name(presentation.step(5, rendition: 0, after: nil)) == "not listed")
    }

    @Test func segmentsLeaveThePlaylistOrAreMissing() throws {
        var presentation = try Self.presentation(gap: 13)
        presentation.receiveInitialization(for: 0, rendition: 0)
        #expect(name(presentation.step(3, rendition: 0, after: nil)) == "gap")
        let url = try HTTPURL("http://h/a/index.m3u8")
        let (whole, old) = try #require(
            try presentation.receive(try Self.live(12, 15), rendition: 0, from: url, at: 4150))
        presentation.align(whole, rendition: 0, old: old, duration: 4000)
        presentation.noteNewest(whole, rendition: 0)
        #expect(presentation.alignment.newest == 5)
        let step = presentation.step(1, rendition: 0, after: nil)
        #expect(name(step) == "gone, 2 is the oldest")
        #expect(presentation.whole(2, rendition: 0)?.uri == "12.m4s")
    }

    @Test func playlistsAreLoadedAgainAfterTheirTargetDuration() throws {
        var presentation = try Self.presentation()
        let playlist = try #require(presentation.renditions[0].playlist)
        #expect(presentation.planReload(after: playlist, rendition: 0, at: 150) == false)
        #expect(presentation.reloads.next == 4100)
        #expect(presentation.reloadRequest(at: 4099) == nil)
        let request = presentation.reloadRequest(at: 4100)
        #expect(request?.url.description == "http://h/a/index.m3u8")
        #expect(request?.purpose == .playlist(rendition: 0, isBlocking: false))
        // Where a delta update was of no use the whole playlist is loaded at once.
        presentation.loadWholeNext()
        #expect(presentation.reloadRequest(at: 200) != nil)
        #expect(presentation.isLoadingWhole)
        #expect(presentation.reloadRequest(at: 200) == nil)
    }

    /// An older copy, as another server behind a balancer may send it, is kept out.
    @Test func olderCopiesAreKeptOut() throws {
        var presentation = try Self.presentation()
        let url = try HTTPURL("http://h/a/index.m3u8")
        let older = try presentation.receive(
            try Self.live(9, 13), rendition: 0, from: url, at: 4150)
        #expect(older == nil)
        #expect(presentation.renditions[0].playlist?.segments.last?.uri == "14.m4s")
        #expect(!presentation.reloads.isNews(0))
    }

    @Test func aPlaylistReturnsToWhereItWasAskedForFirst() throws {
        var presentation = try Self.presentation()
        let edges = HLSEdges([try HTTPURL("http://h/a/index.m3u8")])
        #expect(presentation.returnToSource(0, edges) == false)
        let redirected = try HTTPURL("http://c/a/index.m3u8?_HLS_msn=15")
        _ = try presentation.receive(
            try Self.live(11, 15), rendition: 0, from: redirected, at: 4150)
        #expect(presentation.renditions[0].url.description == "http://c/a/index.m3u8")
        #expect(presentation.returnToSource(0, edges) == true)
        #expect(presentation.renditions[0].url.description == "http://h/a/index.m3u8")
        #expect(presentation.returnToSource(0, edges) == false)
    }
}
