import HLS
import SimulationKernel
import Testing

@Suite struct DeltaTests {
    static func playlist(_ range: Range<Int>, parts: Int = 0) -> MediaPlaylist {
        MediaPlaylist(
            version: 9, targetDuration: 2, mediaSequence: range.lowerBound,
            serverControl: .init(canBlockReload: true, canSkipUntil: 12),
            segments: range.map { number in
                .init(
                    uri: "s\(number).m4s", duration: 2,
                    isDiscontinuity: number % 7 == 0,
                    map: .init(uri: "init-\(number / 7).mp4"))
            },
            partialSegment: parts == 0
                ? nil
                : .init(
                    parts: (0..<parts).map { .init(uri: "p\($0)", duration: 0.5) },
                    map: .init(uri: "init-\((range.upperBound - 1) / 7).mp4")))
    }

    /// The delta of any newer playlist, merged with any older playlist that has the skipped
    /// segments, is the newer playlist.
    @Test func everyStep() throws {
        let old = Self.playlist(0..<20)
        for shift in 0...16 {
            let new = Self.playlist(shift..<shift + 20, parts: shift % 3)
            for count in 0...20 {
                let delta = try MediaPlaylist(parsing: new.skipping(count).text)
                #expect(delta.nextSequence == new.nextSequence)
                if shift + count <= 20 {
                    #expect(try old.merging(delta: delta) == new)
                } else if count > 0 {
                    #expect(throws: PlaylistError.self) { try old.merging(delta: delta) }
                }
            }
        }
    }

    @Test func boundary() {
        let playlist = Self.playlist(0..<20)
        #expect(playlist.skippableSegments == 14)
        #expect(Self.playlist(0..<20, parts: 3).skippableSegments == 14)
        #expect(Self.playlist(0..<4).skippableSegments == 0)
        var other = playlist
        other.serverControl = nil
        #expect(other.skippableSegments == 0)
    }

    @Test func aDeltaOnADeltaIsRefused() {
        let playlist = Self.playlist(0..<20)
        let delta = playlist.skipping(4)
        let error = #expect(throws: PlaylistError.self) { try delta.merging(delta: delta) }
        #expect(error?.code == .cannotMerge)
    }
}

/// Runs the fuzz entry point with seeded inputs of bounded size.
@Suite struct PlaylistFuzzTests {
    @Test(arguments: 0..<4 as Range<UInt64>) func mutatedPlaylistsNeverTrap(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let samples = PlaylistSample.all.map { Array($0.text.utf8) }
        for round in 0..<1500 {
            var bytes = samples[round % samples.count]
            for _ in 0..<Int.random(in: 1...8, using: &generator) where !bytes.isEmpty {
                let at = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.removeSubrange(at..<min(bytes.count, at + 9))
                case 2:
                    bytes.insert(
                        Array("\",\r\n#:=@09-. x".utf8).randomElement(using: &generator)!, at: at)
                case 3: bytes.removeSubrange(at...)
                default:
                    let from = Int.random(in: 0..<bytes.count, using: &generator)
                    bytes.insert(contentsOf: bytes[from..<min(bytes.count, from + 60)], at: at)
                }
            }
            bytes.withUnsafeBytes { HLSFuzz.fuzzPlaylist($0) }
        }
    }
}
