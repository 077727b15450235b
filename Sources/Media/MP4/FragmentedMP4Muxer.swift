public import NIOCore

/// Writes H.264 and AAC as fragmented MP4 (ISO/IEC 14496-12; RFC 8216, 3.3; with one track also
/// CMAF, ISO/IEC 23000-19): an initialization segment, then pairs of `moof` and `mdat`.
///
/// All tracks have the timescale of `CodedFrame`, so that tracks and playlists share one clock.
/// Samples are copied unchanged: NAL unit lengths keep their size.
public struct FragmentedMP4Muxer: Sendable {
    static let videoTrackID: UInt32 = 1
    static let audioTrackID: UInt32 = 2
    static let syncSampleFlags: UInt32 = 0x0200_0000
    static let otherSampleFlags: UInt32 = 0x0101_0000

    private let tracks: MediaTracks
    private let width: Int
    private let height: Int
    private var sequenceNumber: UInt32 = 1

    /// Makes a muxer. If a parameter set cannot be read, the picture's size stays 0; decoders read
    /// it from their own copy of the parameter set.
    /// - Throws: `MediaError.unsupported` if there are no tracks.
    public init(tracks: MediaTracks) throws {
        guard !tracks.isEmpty else {
            throw MediaError(.unsupported, "an MP4 file needs a track")
        }
        self.tracks = tracks
        let sps = tracks.sps
        width = sps?.width ?? 0
        height = sps?.height ?? 0
    }

    /// Initialization segment: `ftyp` and `moov`.
    public var initializationSegment: ByteBuffer {
        var writer = MP4BoxWriter()
        writer.box("ftyp") { box in
            box.ascii("iso6")
            box.u32(0)
            box.ascii("iso6mp41")
            if tracks.video == nil || tracks.audio == nil { box.ascii("cmfc") }
        }
        writer.box("moov") { moov in
            moov.fullBox("mvhd") { box in
                box.zeros(8)
                box.u32(UInt32(CodedFrame.timescale))
                box.u32(0)
                box.u32(0x10000)  // rate 1
                box.u16(0x100)  // volume 1
                box.zeros(10)
                box.matrix()
                box.zeros(24)
                box.u32(Self.audioTrackID + 1)
            }
            if let record = tracks.video { writeVideoTrack(record, into: &moov) }
            if let config = tracks.audio { writeAudioTrack(config, into: &moov) }
            moov.box("mvex") { mvex in
                for id in trackIDs {
                    mvex.fullBox("trex") { box in
                        for value: UInt32 in [id, 1, 0, 0, 0] { box.u32(value) }
                    }
                }
            }
        }
        return writer.bytes
    }

    private var trackIDs: [UInt32] {
        (tracks.video == nil ? [] : [Self.videoTrackID])
            + (tracks.audio == nil ? [] : [Self.audioTrackID])
    }

    /// Writes `styp`, which begins a media segment.
    public func beginSegment(into stream: inout ByteBuffer) {
        var writer = MP4BoxWriter()
        writer.box("styp") { box in
            box.ascii("msdh")
            box.u32(0)
            box.ascii("msdhmsix")
        }
        stream.writeImmutableBuffer(writer.bytes)
    }

    /// Writes one `moof` and its `mdat` with the frames, each track's frames in the order given.
    /// Frames of a track that the file does not have are left out. Without frames nothing is
    /// written.
    /// - Precondition: `duration` of every frame is set and not negative, decode times are not
    ///   negative and the frames have less than 2 GiB.
    public mutating func writeFragment(_ frames: [CodedFrame], into stream: inout ByteBuffer) {
        let video = tracks.video == nil ? [] : frames.filter { $0.kind == .video }
        let audio = tracks.audio == nil ? [] : frames.filter { $0.kind == .audio }
        guard !video.isEmpty || !audio.isEmpty else { return }
        var writer = MP4BoxWriter()
        var offsetPlaces: [Int] = []
        writer.box("moof") { moof in
            moof.fullBox("mfhd") { $0.u32(sequenceNumber) }
            for (id, samples) in [(Self.videoTrackID, video), (Self.audioTrackID, audio)]
            where !samples.isEmpty {
                offsetPlaces.append(Self.writeTrackFragment(id, samples, into: &moof))
            }
        }
        sequenceNumber &+= 1
        // Offsets count from the moof box, and the header of the mdat has 8 bytes.
        var offset = writer.bytes.writerIndex + 8
        for (place, samples) in zip(offsetPlaces, [video, audio].filter { !$0.isEmpty }) {
            writer.bytes.setInteger(Int32(clamping: offset), at: place)
            offset += samples.reduce(0) { $0 + $1.payload.readableBytes }
        }
        writer.u32(UInt32(clamping: offset - writer.bytes.writerIndex))
        writer.ascii("mdat")
        stream.reserveCapacity(minimumWritableBytes: offset)
        stream.writeImmutableBuffer(writer.bytes)
        for frame in video { stream.writeImmutableBuffer(frame.payload) }
        for frame in audio { stream.writeImmutableBuffer(frame.payload) }
    }

    /// Writes a track fragment. Returns the position at which the data offset is to be written.
    private static func writeTrackFragment(
        _ id: UInt32, _ samples: [CodedFrame], into moof: inout MP4BoxWriter
    ) -> Int {
        let isVideo = id == videoTrackID
        var place = 0
        moof.box("traf") { traf in
            // The flags are default-base-is-moof and default-sample-flags.
            traf.fullBox("tfhd", flags: 0x02_0020) { box in
                box.u32(id)
                box.u32(isVideo ? otherSampleFlags : syncSampleFlags)
            }
            traf.fullBox("tfdt", version: 1) {
                $0.u64(UInt64(max(0, samples.first?.decodeTime ?? 0)))
            }
            // The flags are data-offset, duration and size; for video also flags and signed
            // composition offsets.
            traf.fullBox("trun", version: 1, flags: isVideo ? 0xF01 : 0x301) { box in
                box.u32(UInt32(samples.count))
                place = box.bytes.writerIndex
                box.u32(0)
                for sample in samples {
                    box.u32(UInt32(clamping: sample.duration))
                    box.u32(UInt32(clamping: sample.payload.readableBytes))
                    guard isVideo else { continue }
                    box.u32(sample.isKeyFrame ? syncSampleFlags : otherSampleFlags)
                    box.u32(UInt32(bitPattern: sample.compositionOffset))
                }
            }
        }
        return place
    }

    private func writeVideoTrack(
        _ record: AVCDecoderConfigurationRecord, into moov: inout MP4BoxWriter
    ) {
        let (width, height) = (UInt16(clamping: width), UInt16(clamping: height))
        Self.writeTrack(Self.videoTrackID, width: width, height: height, handler: "vide", &moov) {
            minf in
            minf.fullBox("vmhd", flags: 1) { $0.zeros(8) }
        } sampleEntry: { stsd in
            stsd.box("avc1") { entry in
                entry.zeros(6)
                entry.u16(1)  // data_reference_index
                entry.zeros(16)
                entry.u16(width)
                entry.u16(height)
                entry.u32(0x48_0000)  // 72 dpi
                entry.u32(0x48_0000)
                entry.u32(0)
                entry.u16(1)  // frame_count
                entry.zeros(32)
                entry.u16(24)  // depth
                entry.u16(0xFFFF)
                entry.box("avcC") { $0.bytes.writeImmutableBuffer(record.bytes) }
            }
        }
    }

    private func writeAudioTrack(
        _ config: AudioSpecificConfig, into moov: inout MP4BoxWriter
    ) {
        Self.writeTrack(Self.audioTrackID, width: 0, height: 0, handler: "soun", &moov) { minf in
            minf.fullBox("smhd") { $0.zeros(4) }
        } sampleEntry: { stsd in
            stsd.box("mp4a") { entry in
                entry.zeros(6)
                entry.u16(1)
                entry.zeros(8)
                let channels = config.channelConfiguration
                entry.u16(UInt16(channels == 7 ? 8 : max(1, channels)))
                entry.u16(16)  // bits a sample
                entry.zeros(4)
                entry.u32(UInt32(config.sampleRate <= 0xFFFF ? config.sampleRate : 0) << 16)
                entry.fullBox("esds") { Self.writeElementaryStream(config, into: &$0) }
            }
        }
    }

    /// Writes the ES_Descriptor (ISO/IEC 14496-1, 7.2.6.5) around the AudioSpecificConfig.
    private static func writeElementaryStream(
        _ config: AudioSpecificConfig, into box: inout MP4BoxWriter
    ) {
        let specific = config.bytes
        let specificLength = descriptorLength(specific.readableBytes)
        let decoderLength = descriptorLength(
            13 + 1 + specificLength.count + specific.readableBytes)
        let decoderBytes = 13 + 1 + specificLength.count + specific.readableBytes
        let wholeLength = descriptorLength(3 + 1 + decoderLength.count + decoderBytes + 3)
        box.u8(3)
        box.bytes.writeBytes(wholeLength)
        box.zeros(3)
        // The DecoderConfigDescriptor says: MPEG-4 audio, audio stream, rates not stated.
        box.u8(4)
        box.bytes.writeBytes(decoderLength)
        box.u8(0x40)
        box.u8(0x15)
        box.zeros(11)
        box.u8(5)
        box.bytes.writeBytes(specificLength)
        box.bytes.writeImmutableBuffer(specific)
        for value: UInt8 in [6, 1, 2] { box.u8(value) }
    }

    /// Encodes a descriptor's length: seven bits in a byte, in as many bytes as necessary (ISO/IEC
    /// 14496-1, 8.3.3).
    private static func descriptorLength(_ count: Int) -> [UInt8] {
        var bytes = [UInt8(truncatingIfNeeded: count & 0x7F)]
        var rest = count >> 7
        while rest > 0, bytes.count < 4 {
            bytes.insert(0x80 | UInt8(truncatingIfNeeded: rest & 0x7F), at: 0)
            rest >>= 7
        }
        return bytes
    }

    private static func writeTrack(
        _ id: UInt32, width: UInt16, height: UInt16, handler: StaticString,
        _ moov: inout MP4BoxWriter, mediaHeader: (inout MP4BoxWriter) -> Void,
        sampleEntry: (inout MP4BoxWriter) -> Void
    ) {
        moov.box("trak") { trak in
            trak.fullBox("tkhd", flags: 3) { box in
                box.zeros(8)
                box.u32(id)
                box.zeros(20)
                box.u16(width == 0 ? 0x100 : 0)  // volume
                box.u16(0)
                box.matrix()
                box.u32(UInt32(width) << 16)
                box.u32(UInt32(height) << 16)
            }
            trak.box("mdia") { mdia in
                mdia.fullBox("mdhd") { box in
                    box.zeros(8)
                    box.u32(UInt32(CodedFrame.timescale))
                    box.u32(0)
                    box.u16(0x55C4)  // und
                    box.u16(0)
                }
                mdia.fullBox("hdlr") { box in
                    box.u32(0)
                    box.ascii(handler)
                    box.zeros(12)
                    box.ascii("millrace")
                    box.u8(0)
                }
                mdia.box("minf") { minf in
                    mediaHeader(&minf)
                    minf.box("dinf") { dinf in
                        dinf.fullBox("dref") { dref in
                            dref.u32(1)
                            dref.fullBox("url ", flags: 1)
                        }
                    }
                    minf.box("stbl") { stbl in
                        stbl.fullBox("stsd") { stsd in
                            stsd.u32(1)
                            sampleEntry(&stsd)
                        }
                        for table: StaticString in ["stts", "stsc", "stco"] {
                            stbl.fullBox(table) { $0.u32(0) }
                        }
                        stbl.fullBox("stsz") { $0.u64(0) }
                    }
                }
            }
        }
    }
}
