import HLS
import Media
import NIOCore
import SimulationKernel
import Testing

/// A made-up stream of frames, with times in milliseconds as RTMP has them.
struct FrameFeed {
    var framesPerSecond: Double? = 30
    /// Numbers of frames of the groups of pictures, in turn.
    var gops = [60]
    var hasAudio = true
    var bFrames = false
    /// Time of the first frame in milliseconds.
    var start: Int64 = 0
    var payloadBytes = 900
    /// Number in each payload, so that every frame is distinct.
    private var number: UInt32 = 0

    init() {}

    static let audio = AudioSpecificConfig(sampleRate: 48_000, channelConfiguration: 2)
    /// Configuration of 320x240, Baseline, with the parameter sets of a real encoder.
    static func video(level: UInt8 = 30) -> AVCDecoderConfigurationRecord {
        let spec = SyntheticSpec(
            width: level == 30 ? 320 : 160, height: 240, framesPerSecond: 10, gopFrames: 10,
            totalBitrate: Bitrate(kilobitsPerSecond: 300))
        guard let source = try? SyntheticSource(spec: spec),
            var header = source.videoSequenceHeader, header.readSlice(length: 5) != nil,
            let record = try? AVCDecoderConfigurationRecord(parsing: header)
        else { preconditionFailure("the synthetic source has a configuration") }
        return record
    }

    var tracks: MediaTracks {
        MediaTracks(
            video: framesPerSecond == nil ? nil : Self.video(), audio: hasAudio ? Self.audio : nil)
    }

    /// Makes the frames of this number of seconds, in the order of decode times.
    mutating func frames(seconds: Double) -> [CodedFrame] {
        var frames: [CodedFrame] = []
        if let rate = framesPerSecond {
            var left = 0
            var gop = 0
            for index in 0..<Int(seconds * rate) {
                let isKey = left == 0
                if isKey {
                    left = gops[gop % gops.count]
                    gop += 1
                }
                left -= 1
                let time = start + Int64((Double(index) * 1000 / rate).rounded())
                let offset: Int32 = bFrames ? (index % 3 == 0 ? 6000 : 0) : 0
                frames.append(frame(.video, time, isKey: isKey, offset: offset))
            }
        }
        if hasAudio {
            for index in 0..<Int(seconds * 48_000 / 1024) {
                let time = start + Int64((Double(index) * 1024 / 48).rounded())
                frames.append(frame(.audio, time, isKey: true, offset: 0))
            }
        }
        return frames.sorted {
            ($0.decodeTime, $0.kind == .video ? 0 : 1) < ($1.decodeTime, $1.kind == .video ? 0 : 1)
        }
    }

    private mutating func frame(
        _ kind: CodedFrame.Kind, _ milliseconds: Int64, isKey: Bool, offset: Int32
    ) -> CodedFrame {
        number += 1
        var payload = ByteBuffer()
        if kind == .video {
            payload.writeInteger(UInt32(payloadBytes))
            payload.writeInteger(UInt8(isKey ? 0x65 : 0x41))
            // No byte is zero, because a real encoder's bytes never look like a start code.
            for shift in [21, 14, 7, 0] as [UInt32] {
                payload.writeInteger(0x80 | UInt8(truncatingIfNeeded: number >> shift & 0x7F))
            }
            payload.writeRepeatingByte(0x55, count: payloadBytes - 5)
        } else {
            payload.writeInteger(number)
            payload.writeRepeatingByte(0xAA, count: 100)
        }
        return CodedFrame(
            kind: kind, decodeTime: milliseconds * 90, compositionOffset: offset,
            duration: kind == .audio ? 1920 : 0, isKeyFrame: isKey, payload: payload)
    }
}

/// Follows a segmenter and checks after every change the rules of RFC 8216 for a live playlist.
struct PlaylistWatcher {
    private var last: MediaPlaylist?
    /// Name and number of discontinuity, by media sequence number.
    private var known: [Int: (uri: String, discontinuity: Int)] = [:]
    private var dates: [Int: ProgramDateTime] = [:]
    private(set) var bytes: [Int: ByteBuffer] = [:]
    private(set) var changes = 0
    var checksParts = true

    mutating func look(at segmenter: Segmenter) throws {
        guard let playlist = segmenter.playlist else { return }
        changes += 1
        #expect(try MediaPlaylist(parsing: playlist.text) == playlist)
        if let last {
            #expect(playlist.mediaSequence >= last.mediaSequence)
            #expect(playlist.discontinuitySequence >= last.discontinuitySequence)
            #expect(playlist.nextSequence >= last.nextSequence)
            if !last.hasEndList { #expect(playlist.targetDuration == last.targetDuration) }
            if !last.hasEndList, !playlist.hasEndList {
                #expect(playlist.partTarget == last.partTarget)
            }
        }
        var discontinuity = playlist.discontinuitySequence
        var date: ProgramDateTime?
        for (index, segment) in playlist.segments.enumerated() {
            let number = playlist.mediaSequence + index
            if segment.isDiscontinuity { discontinuity += 1 }
            if let old = known[number] {
                #expect(old.uri == segment.uri)
                #expect(old.discontinuity == discontinuity)
            } else {
                #expect(!known.values.contains { $0.uri == segment.uri })
                known[number] = (segment.uri, discontinuity)
                bytes[number] = try #require(segmenter.resource(segment.uri)).bytes
            }
            #expect(Int(segment.duration.rounded()) <= playlist.targetDuration)
            let own = try #require(segment.programDateTime)
            if let date { #expect(own >= date) }
            date = own
            #expect(segmenter.resource(segment.uri) != nil)
            if let map = segment.map { #expect(segmenter.resource(map.uri) != nil) }
            try look(at: segment.parts, isWhole: true, playlist, segmenter)
            if !segment.parts.isEmpty {
                var joined = ByteBuffer()
                for part in segment.parts {
                    joined.writeImmutableBuffer(try #require(segmenter.resource(part.uri)).bytes)
                }
                #expect(joined == segmenter.resource(segment.uri)?.bytes)
                let sum = segment.parts.reduce(0) { $0 + $1.duration }
                #expect(abs(sum - segment.duration) < 0.0001)
            }
        }
        try look(at: playlist.partialSegment?.parts ?? [], isWhole: false, playlist, segmenter)
        if playlist.hasEndList { #expect(playlist.preloadHints.isEmpty) }
        last = playlist
    }

    private func look(
        at parts: [MediaPlaylist.Part], isWhole: Bool, _ playlist: MediaPlaylist,
        _ segmenter: Segmenter
    ) throws {
        guard checksParts else { return }
        for (index, part) in parts.enumerated() {
            let target = try #require(playlist.partTarget)
            #expect(part.duration <= target + 1e-9)
            if !(isWhole && index == parts.count - 1) {
                #expect(part.duration >= 0.85 * target, "part \(index) of \(parts.count)")
            }
            #expect(segmenter.resource(part.uri) != nil)
        }
    }

    /// Returns the numbered payloads of all frames in the segments seen, by kind.
    func payloads(
        _ kind: CodedFrame.Kind, _ container: SegmenterConfiguration.Container, map: ByteBuffer?
    ) throws -> [ByteBuffer] {
        var found: [ByteBuffer] = []
        for number in bytes.keys.sorted() {
            let segment = bytes[number] ?? ByteBuffer()
            switch container {
            case .ts:
                for unit in try TransportStreamDemuxer.accessUnits(segment) where unit.kind == kind
                {
                    if kind == .audio {
                        found += ADTSHeader.frames(unit.payload).map(\.frame)
                    } else if let slice = AnnexB.units(unit.payload).last {
                        found.append(slice)
                    }
                }
            case .fmp4:
                let reader = try FragmentedMP4Reader(
                    initializationSegment: try #require(map))
                for sample in try reader.samples(segment) where sample.kind == kind {
                    var payload = sample.payload
                    if kind == .video { payload.moveReaderIndex(forwardBy: 4) }
                    found.append(payload.slice())
                }
            }
        }
        return found
    }
}
