public import NIOCore

/// Reads the parts of fragmented MP4 that probes need: the tracks of an initialization segment,
/// then the samples of media segments or parts.
public struct FragmentedMP4Reader: Sendable {
    public struct Track: Hashable, Sendable {
        public var id: UInt32
        /// Kind of the track; nil for a handler other than `vide` and `soun`.
        public var kind: CodedFrame.Kind?
        /// Ticks per second.
        public var timescale: UInt32
        /// Configuration of an `avc1` or `avc3` sample entry.
        public var video: AVCDecoderConfigurationRecord?
        /// Configuration of an `mp4a` sample entry.
        public var audio: AudioSpecificConfig?
        var defaultDuration: UInt32 = 0
        var defaultSize: UInt32 = 0
        var defaultFlags: UInt32 = 0
    }

    public struct Sample: Hashable, Sendable {
        public var trackID: UInt32
        public var kind: CodedFrame.Kind?
        /// Decode time in ticks of the track.
        public var decodeTime: Int64
        /// Presentation minus decode time, in ticks of the track.
        public var compositionOffset: Int64
        public var duration: Int64
        /// Whether this is a sync sample: sample_is_non_sync_sample is 0.
        public var isSync: Bool
        public var payload: ByteBuffer
        /// Number of bytes from the segment's start to the sample's end.
        public var endOffset: Int
    }

    /// Largest number of samples in one segment; more are an error.
    public static let maximumSamples = 200_000
    public let tracks: [Track]

    /// - Throws: `MediaError` if the `moov` box, or a part of it that a probe needs, is missing or
    ///   broken.
    public init(initializationSegment: ByteBuffer) throws {
        let moov = try MP4Box.all(in: initializationSegment).first("moov").children()
        var tracks: [Track] = []
        for trak in moov where trak.type == FourCC("trak") {
            if let track = try Self.track(trak) { tracks.append(track) }
        }
        if let mvex = moov.first(where: { $0.type == FourCC("mvex") }) {
            for var trex in try mvex.children() where trex.type == FourCC("trex") {
                _ = try trex.versionAndFlags()
                let id = try trex.u32()
                _ = try trex.u32()
                let values = [try trex.u32(), try trex.u32(), try trex.u32()]
                for index in tracks.indices where tracks[index].id == id {
                    tracks[index].defaultDuration = values[0]
                    tracks[index].defaultSize = values[1]
                    tracks[index].defaultFlags = values[2]
                }
            }
        }
        guard !tracks.isEmpty else { throw MediaError(.invalidValue, "the file has no track") }
        self.tracks = tracks
    }

    /// Reads a track. Returns nil for a track that is neither video nor audio and lacks the boxes
    /// of those.
    private static func track(_ trak: MP4Box) throws -> Track? {
        let children = try trak.children()
        var tkhd = try children.first("tkhd")
        let version = try tkhd.versionAndFlags().version
        try tkhd.skip(version == 1 ? 16 : 8)
        let id = try tkhd.u32()
        let mdia = try children.first("mdia").children()
        var mdhd = try mdia.first("mdhd")
        try mdhd.skip(mdhd.versionAndFlags().version == 1 ? 16 : 8)
        let timescale = try mdhd.u32()
        var hdlr = try mdia.first("hdlr")
        try hdlr.skip(8)
        let handler = FourCC(rawValue: try hdlr.u32())
        var track = Track(
            id: id,
            kind: handler == FourCC("vide") ? .video : handler == FourCC("soun") ? .audio : nil,
            timescale: timescale)
        if track.kind == nil { return timescale > 0 ? track : nil }
        guard timescale > 0 else { throw MediaError(.invalidValue, "a timescale of 0") }
        var stsd = try mdia.first("minf").children().first("stbl").children().first("stsd")
        try stsd.skip(8)
        for var entry in try stsd.children() {
            switch entry.type {
            case FourCC("avc1"), FourCC("avc3"):
                try entry.skip(78)
                guard let avcC = try entry.children().first(where: { $0.type == FourCC("avcC") })
                else { continue }
                track.video = try AVCDecoderConfigurationRecord(parsing: avcC.body)
            case FourCC("mp4a"):
                try entry.skip(28)
                guard let esds = try entry.children().first(where: { $0.type == FourCC("esds") })
                else { continue }
                track.audio = try audioConfig(esds.body)
            default: break
            }
        }
        return track
    }

    /// Reads the DecoderSpecificInfo within an `esds` box (ISO/IEC 14496-1, 7.2.6).
    private static func audioConfig(_ esds: ByteBuffer) throws -> AudioSpecificConfig? {
        var rest = esds
        guard rest.readSlice(length: 4) != nil else { return nil }
        while let tag: UInt8 = rest.readInteger() {
            var length = 0
            for _ in 0..<4 {
                guard let byte: UInt8 = rest.readInteger() else { return nil }
                length = length << 7 | Int(byte & 0x7F)
                if byte & 0x80 == 0 { break }
            }
            switch tag {
            case 3:
                guard rest.readSlice(length: 2) != nil, let flags: UInt8 = rest.readInteger()
                else { return nil }
                let optional = (flags & 0x80 != 0 ? 2 : 0) + (flags & 0x20 != 0 ? 2 : 0)
                guard flags & 0x40 == 0, rest.readSlice(length: optional) != nil else { return nil }
            case 4: guard rest.readSlice(length: 13) != nil else { return nil }
            case 5:
                guard let config = rest.readSlice(length: length) else { return nil }
                return try AudioSpecificConfig(parsing: config)
            default: guard rest.readSlice(length: length) != nil else { return nil }
            }
        }
        return nil
    }

    /// Returns the samples of every `moof` in `segment`, in the order of the tables.
    /// - Throws: `MediaError`.
    public func samples(_ segment: ByteBuffer) throws -> [Sample] {
        var samples: [Sample] = []
        for moof in try MP4Box.all(in: segment) where moof.type == FourCC("moof") {
            // Without an explicit offset, a track fragment's data follow the data before them.
            var dataEnd = moof.offset
            for traf in try moof.children() where traf.type == FourCC("traf") {
                try read(traf, moof: moof.offset, &dataEnd, segment, into: &samples)
            }
        }
        return samples
    }

    private func read(
        _ traf: MP4Box, moof: Int, _ dataEnd: inout Int, _ segment: ByteBuffer,
        into samples: inout [Sample]
    ) throws {
        let children = try traf.children()
        var tfhd = try children.first("tfhd")
        let flags = try tfhd.versionAndFlags().flags
        let id = try tfhd.u32()
        // A fragment of a track that the initialization segment does not declare is skipped.
        guard var track = tracks.first(where: { $0.id == id }) else { return }
        var base = flags & 0x02_0000 != 0 ? moof : dataEnd
        if flags & 0x1 != 0 { base = Int(clamping: try tfhd.u64()) }
        if flags & 0x2 != 0 { _ = try tfhd.u32() }
        if flags & 0x8 != 0 { track.defaultDuration = try tfhd.u32() }
        if flags & 0x10 != 0 { track.defaultSize = try tfhd.u32() }
        if flags & 0x20 != 0 { track.defaultFlags = try tfhd.u32() }
        var tfdt = try children.first("tfdt")
        let isLong = try tfdt.versionAndFlags().version == 1
        var time = Int64(clamping: isLong ? try tfdt.u64() : UInt64(try tfdt.u32()))
        var offset = base
        for var trun in children where trun.type == FourCC("trun") {
            try read(
                &trun, track, base: base, &offset, &time, segment, into: &samples)
        }
        dataEnd = offset
    }

    private func read(
        _ trun: inout MP4Box, _ track: Track, base: Int, _ offset: inout Int,
        _ time: inout Int64, _ segment: ByteBuffer, into samples: inout [Sample]
    ) throws {
        let (version, flags) = try trun.versionAndFlags()
        let count = Int(try trun.u32())
        guard count <= Self.maximumSamples - samples.count else {
            throw MediaError(.tooLarge, "over \(Self.maximumSamples) samples in a segment")
        }
        if flags & 0x1 != 0 {
            offset = base.addingReportingOverflow(Int(Int32(bitPattern: try trun.u32()))).0
        }
        let firstFlags = flags & 0x4 != 0 ? try trun.u32() : nil
        for index in 0..<count {
            let duration = flags & 0x100 != 0 ? try trun.u32() : track.defaultDuration
            let size = Int(flags & 0x200 != 0 ? try trun.u32() : track.defaultSize)
            var sampleFlags = flags & 0x400 != 0 ? try trun.u32() : track.defaultFlags
            if index == 0, let firstFlags { sampleFlags = firstFlags }
            var composition: Int64 = 0
            if flags & 0x800 != 0 {
                let bits = try trun.u32()
                composition = version == 0 ? Int64(bits) : Int64(Int32(bitPattern: bits))
            }
            guard offset >= 0, size <= segment.readableBytes,
                offset <= segment.readableBytes - size,
                let payload = segment.getSlice(at: segment.readerIndex + offset, length: size)
            else {
                throw MediaError(.truncated, "a sample lies outside of the segment")
            }
            samples.append(
                Sample(
                    trackID: track.id, kind: track.kind, decodeTime: time,
                    compositionOffset: composition, duration: Int64(duration),
                    isSync: sampleFlags & 0x1_0000 == 0, payload: payload,
                    endOffset: offset + size))
            offset += size
            time = time.addingReportingOverflow(Int64(duration)).0
        }
    }
}
