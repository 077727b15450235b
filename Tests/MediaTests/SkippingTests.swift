import NIOCore
import SimulationKernel
import Testing

@testable import Media

/// Readers skip what the formats tell them to skip; it is never fatal.
@Suite struct SkippingTests {
    private static func source() throws -> SyntheticSource {
        try SyntheticSource(
            spec: SyntheticSpec(
                width: 160, height: 90, framesPerSecond: 25, gopFrames: 10,
                totalBitrate: Bitrate(kilobitsPerSecond: 300),
                audioBitrate: Bitrate(kilobitsPerSecond: 64)))
    }

    private static func tags(_ count: Int) throws -> [FLVTag] {
        var source = try source()
        var tags: [FLVTag] = []
        for header in [source.videoSequenceHeader, source.audioSequenceHeader] {
            guard let header else { continue }
            let isVideo = tags.isEmpty
            tags.append(FLVTag(type: isVideo ? .video : .audio, timestamp: 0, payload: header))
        }
        for _ in 0..<count {
            guard let frame = source.next() else { break }
            tags.append(
                FLVTag(
                    type: frame.kind == .video ? .video : .audio, timestamp: frame.timestamp,
                    payload: frame.payload))
        }
        return tags
    }

    /// Makes the raw bytes of a tag with reserved bits and types that `FLVWriter` does not write.
    private static func raw(_ flags: UInt8, _ payload: [UInt8]) -> ByteBuffer {
        var bytes = ByteBuffer(bytes: [flags])
        let size = UInt32(payload.count)
        bytes.writeBytes([UInt8(size >> 16), UInt8(size >> 8 & 0xFF), UInt8(size & 0xFF)])
        bytes.writeRepeatingByte(0, count: 7)
        bytes.writeBytes(payload)
        bytes.writeInteger(size + 11)
        return bytes
    }

    @Test func flv() throws {
        let tags = try Self.tags(40)
        var plain = FLVWriter.fileHeader(hasAudio: true, hasVideo: true)
        // The file has a longer header, tags of reserved types and sizes, reserved bits and frames
        // of reserved types.
        var odd = ByteBuffer(bytes: [0x46, 0x4C, 0x56, 1, 0xFF, 0, 0, 0, 20])
        odd.writeRepeatingByte(0xEE, count: 11 + 4)
        for (index, tag) in tags.enumerated() {
            FLVWriter.write(tag: tag, into: &plain)
            odd.writeImmutableBuffer(
                Self.raw(UInt8(index % 8), [UInt8](repeating: 7, count: index)))
            odd.writeImmutableBuffer(Self.raw(15, []))
            odd.writeImmutableBuffer(Self.raw(9, [0x70, 1, 2, 3, 4, 5]))
            odd.writeImmutableBuffer(Self.raw(8, [0xAF, 9, 1]))
            let start = odd.writerIndex
            FLVWriter.write(tag: tag, into: &odd)
            if let flags: UInt8 = odd.getInteger(at: start) {
                odd.setInteger(flags | 0xC0, at: start)
            }
        }
        var (expected, found) = (try FileSource(flv: plain), try FileSource(flv: odd))
        #expect(expected.frameCount == found.frameCount)
        for _ in 0..<2 * expected.frameCount { #expect(expected.next() == found.next()) }
        for size in [1, 7, 4096] {
            var reader = FLVReader()
            var rest = odd
            var frames = FLVFrameReader()
            var count = 0
            while let piece = rest.readSlice(length: min(size, rest.readableBytes)),
                piece.readableBytes > 0
            {
                reader.append(piece)
                while let tag = try reader.next() {
                    if try frames.read(tag.type, timestamp: tag.timestamp, payload: tag.payload)
                        != nil
                    {
                        count += 1
                    }
                }
            }
            #expect(count == 40)
            #expect(reader.skippedTags == 2 * tags.count)
            #expect(frames.skippedMessages == 2 * tags.count)
        }
    }

    /// Encrypted tags are skipped; a file that has only such tags is refused with a message.
    @Test func encryptedTags() throws {
        var mixed = FLVWriter.fileHeader(hasAudio: true, hasVideo: true)
        var locked = mixed
        for tag in try Self.tags(20) {
            FLVWriter.write(tag: tag, into: &mixed)
            var filtered = tag
            filtered.isFiltered = true
            FLVWriter.write(tag: filtered, into: &mixed)
            FLVWriter.write(tag: filtered, into: &locked)
        }
        #expect(try FileSource(flv: mixed).frameCount == 20)
        #expect { try FileSource(flv: locked) } throws: { "\($0)".contains("encrypted") }
    }

    /// One wrong timestamp at any place, wraps included, does not move the timestamps after it.
    @Test(arguments: [3_000, 0xFFFF_FF00, 0x8000_0000] as [UInt32])
    func oneTimestampDoesNotMoveTheLine(start: UInt32) throws {
        let tags = try Self.tags(60)
        func times(_ stray: UInt32?) throws -> [Int64] {
            var reader = FLVFrameReader()
            var times: [Int64] = []
            for (index, tag) in tags.enumerated() {
                var timestamp = tag.timestamp &+ start
                if index == 30, let stray { timestamp = stray }
                if let frame = try reader.read(tag.type, timestamp: timestamp, payload: tag.payload)
                {
                    times.append(frame.decodeTime)
                }
            }
            return times
        }
        let control = try times(nil)
        for offset in [
            0, 1, 999, 5_000, 20_000, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, 0xFFFF_F000,
            0xFFFF_FFF0, 0x1234_5678,
        ] as [UInt32] {
            for stray in [offset, start &+ offset] {
                var found = try times(stray)
                #expect(found.count == control.count)
                found[28] = control[28]
                #expect(found == control, "start \(start), stray \(stray)")
            }
        }
    }

    private static func segment() throws -> (tracks: MediaTracks, frames: [CodedFrame]) {
        var reader = FLVFrameReader()
        var frames: [CodedFrame] = []
        for tag in try tags(40) {
            if var frame = try reader.read(
                tag.type, timestamp: tag.timestamp, payload: tag.payload)
            {
                frame.duration = 3600
                frames.append(frame)
            }
        }
        return (reader.tracks, frames)
    }

    @Test func transportStream() throws {
        let (tracks, frames) = try Self.segment()
        var muxer = try TransportStreamMuxer(tracks: tracks)
        var plain = ByteBuffer()
        muxer.beginSegment(into: &plain)
        for frame in frames { try muxer.write(frame, into: &plain) }
        muxer.flush(into: &plain)
        var odd = ByteBuffer()
        var rest = plain
        let filler = [UInt8](repeating: 0x5A, count: 184)
        var index = 0
        while let packet = rest.readSlice(length: 188) {
            let other: [UInt8] =
                switch index % 6 {
                case 0: [0x47, 0x1F, 0xFF, 0x10]  // null packets
                case 1: [0x47, 0x00, 0x55, 0x10]  // a PID that nobody announced
                case 2: [0x47, 0x81, 0x00, 0x10]  // damaged
                case 3: [0x47, 0x01, 0x00, 0x90]  // scrambled
                case 4: [0x47, 0x01, 0x00, 0x00]  // adaptation_field_control 0
                default: [0x47, 0x01, 0x00, 0x20, 0xFF]  // a field longer than its packet
                }
            odd.writeBytes((other + filler).prefix(188))
            odd.writeImmutableBuffer(packet)
            // A sender may send any packet twice.
            if index % 5 == 2 { odd.writeImmutableBuffer(packet) }
            index += 1
        }
        var demuxer = TransportStreamDemuxer()
        demuxer.append(odd)
        var units: [TransportStreamDemuxer.AccessUnit] = []
        while let unit = try demuxer.next() { units.append(unit) }
        units += demuxer.finish()
        let expected = try TransportStreamDemuxer.accessUnits(plain)
        #expect(units.map(\.payload) == expected.map(\.payload))
        #expect(units.map(\.decodeTime) == expected.map(\.decodeTime))
        #expect(demuxer.continuityErrors == 0)
        #expect(demuxer.skippedPackets > 0)
    }

    @Test func fragmentedMP4() throws {
        let (tracks, frames) = try Self.segment()
        var muxer = try FragmentedMP4Muxer(tracks: tracks)
        var media = ByteBuffer()
        muxer.beginSegment(into: &media)
        muxer.writeFragment(frames, into: &media)
        func box(_ type: StaticString, _ bytes: [UInt8]) -> ByteBuffer {
            var writer = MP4BoxWriter()
            writer.box(type) { $0.bytes.writeBytes(bytes) }
            return writer.bytes
        }
        var file = box("free", [1, 2, 3])
        file.writeImmutableBuffer(box("uuid", [UInt8](repeating: 9, count: 40)))
        file.writeImmutableBuffer(muxer.initializationSegment)
        file.writeImmutableBuffer(box("????", []))
        file.writeBytes([0, 0, 0])
        let reader = try FragmentedMP4Reader(initializationSegment: file)
        #expect(reader.tracks.count == 2)
        var segment = media
        segment.writeImmutableBuffer(box("zzzz", [0, 1]))
        segment.writeBytes([0, 0, 0, 0, 0])
        #expect(try reader.samples(segment).count == frames.count)
        // This is a fragment of a track that the initialization segment does not have.
        let alone = try FragmentedMP4Muxer(tracks: MediaTracks(audio: tracks.audio))
        let other = try FragmentedMP4Reader(initializationSegment: alone.initializationSegment)
        let sound = frames.count { $0.kind == .audio }
        #expect(try other.samples(media).count == sound)
    }
}
