import Media
import NIOCore

/// Entry points for a fuzzer; each traps only if a parser contradicts itself.
public enum HLSFuzz {
    /// Feeds frames with any timestamps, sizes and kinds, and checks that memory, target duration
    /// and listed segments keep their limits and that sequence numbers never go back.
    ///
    /// The first byte chooses the settings; each frame has six bytes of time, one of flags and one
    /// of size.
    public static func fuzzSegmenter(_ bytes: UnsafeRawBufferPointer) {
        guard let first = bytes.first else { return }
        var configuration = SegmenterConfiguration(
            container: first & 1 == 0 ? .ts : .fmp4, partDuration: first & 2 == 0 ? nil : 0.5,
            window: 10)
        configuration.segmentByteLimit = 100_000
        configuration.totalByteLimit = 400_000
        configuration.segmentLimit = 40
        var segmenter = Segmenter(configuration: configuration, token: "f")
        let audio = AudioSpecificConfig(sampleRate: 48_000, channelConfiguration: 2)
        let set = ByteBuffer(bytes: [0x67, 0x42, 0xC0, 0x1E, 0xD9])
        let picture = AVCDecoderConfigurationRecord(
            profile: 66, profileCompatibility: 0xC0, level: 30, sps: [set], pps: [])
        segmenter.setTracks(
            MediaTracks(video: first & 4 == 0 ? picture : nil, audio: first & 8 == 0 ? audio : nil))
        var timeline = FrameTimeline()
        var sequence = 0
        var rest = bytes.dropFirst()
        while rest.count >= 8 {
            let time = rest.prefix(6).reduce(Int64(0)) { $0 << 8 | Int64($1) }
            let flags = rest[rest.startIndex + 6]
            let size = Int(rest[rest.startIndex + 7]) * (flags & 0x10 == 0 ? 1 : 400)
            rest = rest.dropFirst(8)
            var payload = ByteBuffer(bytes: [0, 0, UInt8(size >> 8 & 0xFF), UInt8(size & 0xFF)])
            payload.writeRepeatingByte(0x41, count: size)
            let frame = CodedFrame(
                kind: flags & 1 == 0 ? .video : .audio,
                decodeTime: flags & 0x20 == 0 ? time : time % 1_000_000,
                isKeyFrame: flags & 3 != 2, payload: payload)
            for known in timeline.admit(frame) {
                _ = try? segmenter.append(known, date: .init(millisecondsSince1970: 0))
            }
            if flags & 0xC0 == 0xC0 { segmenter.interrupt() }
            check(segmenter, &sequence)
        }
        for known in timeline.flush() {
            _ = try? segmenter.append(known, date: .init(millisecondsSince1970: 0))
        }
        segmenter.finish()
        check(segmenter, &sequence)
    }

    private static func check(_ segmenter: Segmenter, _ sequence: inout Int) {
        precondition(segmenter.byteCount <= 4 << 20, "\(segmenter.byteCount) bytes are kept")
        guard let playlist = segmenter.playlist else { return }
        precondition(playlist.segments.count <= 41, "\(playlist.segments.count) are listed")
        precondition(playlist.targetDuration <= 31, "target \(playlist.targetDuration)")
        precondition(playlist.mediaSequence >= sequence, "the media sequence goes back")
        sequence = playlist.mediaSequence
        for segment in playlist.segments {
            precondition(
                Int(segment.duration.rounded()) <= playlist.targetDuration,
                "a segment is longer than the target duration")
        }
    }

    /// Checks that a playlist that was read can be written and read again to the same value, and
    /// that a delta update merges back to the whole.
    public static func fuzzPlaylist(_ bytes: UnsafeRawBufferPointer) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let playlist = try? HLSPlaylist.parse(text) else { return }
        if case .multivariant(let own) = playlist, own.variants.isEmpty, own.renditions.isEmpty,
            own.iFrameStreams.isEmpty
        {
            // The playlist had only renditions of unknown types; the rest of it has no kind.
            return
        }
        let written = playlist.text
        guard let again = try? HLSPlaylist.parse(written) else {
            preconditionFailure("what was written cannot be read:\n\(written)")
        }
        precondition(again == playlist, "a playlist does not survive a round trip:\n\(written)")
        guard case .media(let media) = playlist, media.skippedSegments == nil,
            !media.segments.isEmpty
        else { return }
        let delta = media.skipping((media.segments.count + 1) / 2)
        guard var merged = try? media.merging(delta: delta) else {
            preconditionFailure("a delta update of a playlist does not merge with it")
        }
        merged.version = media.version
        precondition(merged == media, "a delta update merges to another playlist")
    }
}
