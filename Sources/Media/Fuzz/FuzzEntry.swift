import NIOCore
import SimulationKernel

/// Entry points for a fuzzer. Each entry point runs decoders over arbitrary bytes and traps only if
/// a decoder contradicts itself.
public enum FuzzEntry {
    /// Reads FLV in one go, byte by byte and in random pieces, and expects the same tags and the
    /// same error.
    public static func fuzzFLV(_ bytes: UnsafeRawBufferPointer) {
        let stream = ByteBuffer(bytes: bytes)
        let whole = read(stream) { stream.readableBytes }
        var seed: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { seed = (seed ^ UInt64(byte)) &* 0x100_0000_01B3 }
        var generator = SeededGenerator(seed: seed)
        let pieces = read(stream) { Int.random(in: 1...64, using: &generator) }
        precondition(whole == pieces, "random pieces give other tags, seed \(seed)")
        if bytes.count <= 4096 {
            precondition(whole == read(stream) { 1 }, "single bytes give other tags")
        }
        for tag in whole.tags {
            _ = VideoTagHeader.parse(tag.payload)
            _ = AudioTagHeader.parse(tag.payload)
            checkStamp(tag.payload)
        }
        if var source = try? FileSource(flv: stream) { playTwice(&source) }
    }

    /// Runs every header decoder, NAL unit iteration, emulation prevention and stamps.
    public static func fuzzH264Headers(_ bytes: UnsafeRawBufferPointer) {
        let buffer = ByteBuffer(bytes: bytes)
        _ = VideoTagHeader.parse(bytes)
        _ = AudioTagHeader.parse(bytes)
        _ = try? SPS(parsing: buffer)
        if bytes.count > 0 { _ = try? SPS(parsing: ByteBuffer(bytes: [0x67] + Array(bytes))) }
        _ = ADTSHeader.parse(buffer)
        if let record = try? AVCDecoderConfigurationRecord(parsing: buffer) {
            let again = try? AVCDecoderConfigurationRecord(parsing: record.encoded())
            precondition(again == record, "avcC does not survive a round trip")
        }
        if let config = try? AudioSpecificConfig(parsing: buffer) {
            let again = try? AudioSpecificConfig(parsing: config.encoded())
            precondition(again == config, "AudioSpecificConfig does not survive a round trip")
        }
        let added = EmulationPrevention.added(to: bytes)
        precondition(
            EmulationPrevention.removed(from: added).elementsEqual(bytes),
            "emulation prevention does not survive a round trip")
        _ = EmulationPrevention.removed(from: bytes)
        _ = FrameStamp.find(inAnnexB: bytes)
        let units = AnnexB.units(buffer)
        if let prefixed = try? AnnexB.toLengthPrefixed(buffer, lengthSize: 4) {
            let again = try? NALUnitReader.units(prefixed, lengthSize: 4)
            precondition(again == units, "annex B does not survive a round trip")
        }
        for size in 0...5 {
            _ = try? NALUnitReader.units(buffer, lengthSize: size)
            _ = try? AnnexB.fromLengthPrefixed(buffer, lengthSize: size)
        }
        checkStamp(buffer)
    }

    /// Reads a transport stream whole and in pieces, and expects the same access units and the same
    /// error.
    public static func fuzzTransportStream(_ bytes: UnsafeRawBufferPointer) {
        let stream = ByteBuffer(bytes: bytes)
        func units(pieceSize: Int) -> ([TransportStreamDemuxer.AccessUnit], MediaError?) {
            var rest = stream
            var demuxer = TransportStreamDemuxer(maximumUnitSize: 1 << 16)
            var units: [TransportStreamDemuxer.AccessUnit] = []
            do {
                while let piece = rest.readSlice(length: min(pieceSize, rest.readableBytes)),
                    piece.readableBytes > 0
                {
                    demuxer.append(piece)
                    while let unit = try demuxer.next() { units.append(unit) }
                }
            } catch {
                return (units, error as? MediaError)
            }
            return (units + demuxer.finish(), nil)
        }
        let whole = units(pieceSize: max(1, bytes.count))
        let pieces = units(pieceSize: 97)
        precondition(whole.0 == pieces.0 && whole.1 == pieces.1, "pieces give other access units")
        for unit in whole.0 {
            _ = FrameStamp.find(inAnnexB: unit.payload)
            _ = ADTSHeader.frames(unit.payload)
        }
    }

    /// Reads an initialization segment with a media segment behind it.
    public static func fuzzMP4(_ bytes: UnsafeRawBufferPointer) {
        let file = ByteBuffer(bytes: bytes)
        guard let reader = try? FragmentedMP4Reader(initializationSegment: file) else { return }
        for sample in (try? reader.samples(file)) ?? [] {
            _ = FrameStamp.find(inAccessUnit: sample.payload, nalUnitLengthSize: 4)
        }
    }

    private struct Outcome: Equatable {
        var tags: [FLVTag] = []
        var error: MediaError?
    }

    private static func read(_ stream: ByteBuffer, pieceSize: () -> Int) -> Outcome {
        var rest = stream
        var reader = FLVReader(maximumTagSize: 1 << 20)
        var outcome = Outcome()
        while rest.readableBytes > 0, outcome.error == nil {
            guard let piece = rest.readSlice(length: min(max(1, pieceSize()), rest.readableBytes))
            else { break }
            reader.append(piece)
            do {
                while let tag = try reader.next() { outcome.tags.append(tag) }
            } catch {
                outcome.error = error as? MediaError
            }
        }
        return outcome
    }

    private static func checkStamp(_ payload: ByteBuffer) {
        let stamp = FrameStamp(streamID: .max, frameNumber: .max, intendedNanoseconds: -1)
        for size in 1...4 {
            let stamped = stamp.inserted(into: payload, nalUnitLengthSize: size)
            let found = FrameStamp.find(inVideoPayload: stamped, nalUnitLengthSize: size)
            precondition(stamped == payload || found == stamp, "a stamp is lost")
        }
    }

    private static func playTwice(_ source: inout FileSource) {
        var last: [SourceFrame.Kind: Int64] = [:]
        for _ in 0..<2 * source.frameCount {
            guard let frame = source.next() else { preconditionFailure("a source is endless") }
            precondition(frame.dtsNanoseconds > last[frame.kind] ?? -1, "decode time went back")
            last[frame.kind] = frame.dtsNanoseconds
        }
    }
}
