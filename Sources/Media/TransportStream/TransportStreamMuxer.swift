public import NIOCore

/// Writes H.264 and AAC as an MPEG-2 transport stream (ISO/IEC 13818-1) in the form that HLS asks
/// for (RFC 8216, 3.2): PAT and PMT at each segment's start, one access unit per PES packet.
///
/// Continuity counters continue over segments. Times are shifted by `timeShift`, so that the first
/// PCR is not negative; they have 33 bits and wrap. Audio frames of up to 90 ms share a PES packet,
/// which saves half of the audio packets: the caller must call `flush` at the end of every part of
/// the stream that has to stand alone.
public struct TransportStreamMuxer: Sendable {
    /// Ticks of 90 kHz added to all times: 1.4 s.
    public static let timeShift: Int64 = 126_000
    /// Ticks by which PCR is behind the decode times: 0.5 s.
    static let clockLead: Int64 = 45_000
    /// Largest payload of a PES packet of audio, in bytes.
    static let audioByteLimit = 2800
    static let audioTicksLimit: Int64 = 8_100

    private let tracks: MediaTracks
    private let parameterSets: ByteBuffer
    private let tables: [ByteBuffer]
    private var tableCounters: [UInt8] = [0, 0]
    private var videoCounter: UInt8 = 0
    private var audioCounter: UInt8 = 0
    private var pendingAudio = ByteBuffer()
    private var pendingAudioStart: Int64 = 0
    private var pendingAudioEnd: Int64 = 0
    private var scratch = ByteBuffer()

    /// - Throws: `MediaError.unsupported` if there are no tracks, or for audio that ADTS cannot
    ///   express.
    public init(tracks: MediaTracks) throws {
        guard !tracks.isEmpty else {
            throw MediaError(.unsupported, "a transport stream needs a track")
        }
        if let audio = tracks.audio { _ = try ADTSHeader(config: audio, payloadLength: 0) }
        self.tracks = tracks
        var sets = ByteBuffer()
        for set in (tracks.video?.sps ?? []) + (tracks.video?.pps ?? []) {
            sets.writeInteger(UInt32(1))
            sets.writeImmutableBuffer(set)
        }
        parameterSets = sets
        tables = [Self.programAssociation(), Self.programMap(tracks)]
    }

    /// Writes PAT and PMT, which begin a segment.
    public mutating func beginSegment(into stream: inout ByteBuffer) {
        for (index, pid) in [TransportStream.patPID, TransportStream.pmtPID].enumerated() {
            var section = ByteBuffer(integer: UInt8(0))  // pointer_field
            section.writeImmutableBuffer(tables[index])
            let padding = TransportStream.packetSize - 4 - section.readableBytes
            section.writeRepeatingByte(0xFF, count: padding)
            stream.writeInteger(TransportStream.syncByte)
            stream.writeInteger(UInt16(0x4000) | pid)
            stream.writeInteger(0x10 | tableCounters[index])
            stream.writeImmutableBuffer(section)
            tableCounters[index] = (tableCounters[index] + 1) & 0xF
        }
    }

    /// Writes a frame; audio may wait for the next `flush`.
    /// - Throws: `MediaError` if the access unit's NAL units are broken or an audio frame is too
    ///   long for ADTS. In this case nothing has been written.
    public mutating func write(_ frame: CodedFrame, into stream: inout ByteBuffer) throws {
        switch frame.kind {
        case .video: try writeVideo(frame, into: &stream)
        case .audio: try writeAudio(frame, into: &stream)
        }
    }

    /// Writes the audio that waits.
    public mutating func flush(into stream: inout ByteBuffer) {
        guard pendingAudio.readableBytes > 0 else { return }
        let time = pendingAudioStart
        scratch.clear()
        Self.writePESHeader(
            streamID: 0xC0, presentation: time, decode: nil,
            payloadLength: pendingAudio.readableBytes, into: &scratch)
        scratch.writeImmutableBuffer(pendingAudio)
        pendingAudio.clear()
        packetize(
            TransportStream.audioPID, counter: &audioCounter,
            clock: tracks.video == nil ? time : nil, isRandomAccess: true, into: &stream)
    }

    private mutating func writeVideo(_ frame: CodedFrame, into stream: inout ByteBuffer) throws {
        guard let record = tracks.video else { return }
        var unit = ByteBuffer()
        unit.reserveCapacity(frame.payload.readableBytes + parameterSets.readableBytes + 64)
        unit.writeBytes([0, 0, 0, 1, NALUnitType.accessUnitDelimiter.rawValue, 0xF0])
        var reader = try NALUnitReader(frame.payload, lengthSize: record.nalUnitLengthSize)
        var needsSets = frame.isKeyFrame
        while let nalUnit = try reader.next() {
            let type = NALUnitType(header: nalUnit.getInteger(at: nalUnit.readerIndex) ?? 0)
            if type == .accessUnitDelimiter { continue }
            if type == .sps { needsSets = false }
            if needsSets, type == .sei || type.isVCL {
                unit.writeImmutableBuffer(parameterSets)
                needsSets = false
            }
            unit.writeInteger(UInt32(1))
            unit.writeImmutableBuffer(nalUnit)
        }
        scratch.clear()
        Self.writePESHeader(
            streamID: 0xE0, presentation: frame.presentationTime,
            decode: frame.compositionOffset == 0 ? nil : frame.decodeTime,
            payloadLength: unit.readableBytes, into: &scratch)
        scratch.writeImmutableBuffer(unit)
        packetize(
            TransportStream.videoPID, counter: &videoCounter, clock: frame.decodeTime,
            isRandomAccess: frame.isKeyFrame, into: &stream)
    }

    private mutating func writeAudio(_ frame: CodedFrame, into stream: inout ByteBuffer) throws {
        guard let config = tracks.audio else { return }
        let length = frame.payload.readableBytes
        let header = try ADTSHeader(config: config, payloadLength: length)
        // A PES packet has one timestamp: a frame that does not follow at once needs another
        // packet.
        if pendingAudio.readableBytes > 0,
            abs(frame.decodeTime - pendingAudioEnd) > 90
                || pendingAudio.readableBytes + length + 7 > Self.audioByteLimit
                || frame.decodeTime - pendingAudioStart >= Self.audioTicksLimit
        {
            flush(into: &stream)
        }
        if pendingAudio.readableBytes == 0 { pendingAudioStart = frame.decodeTime }
        pendingAudio.writeImmutableBuffer(header.encoded())
        pendingAudio.writeImmutableBuffer(frame.payload)
        let samples = Int64(config.samplesPerFrame) * CodedFrame.timescale
        pendingAudioEnd = frame.decodeTime + samples / Int64(config.sampleRate)
    }

    /// Writes a PES packet header (2.4.3.6). A length that does not fit is written as 0, which is
    /// allowed for video.
    private static func writePESHeader(
        streamID: UInt8, presentation: Int64, decode: Int64?, payloadLength: Int,
        into bytes: inout ByteBuffer
    ) {
        let headerLength: UInt8 = decode == nil ? 5 : 10
        let length = payloadLength + 3 + Int(headerLength)
        bytes.writeBytes([0, 0, 1, streamID])
        bytes.writeInteger(UInt16(length > 0xFFFF ? 0 : length))
        bytes.writeBytes([0x84, decode == nil ? 0x80 : 0xC0, headerLength])
        writeTimestamp(presentation, prefix: decode == nil ? 2 : 3, into: &bytes)
        if let decode { writeTimestamp(decode, prefix: 1, into: &bytes) }
    }

    private static func writeTimestamp(
        _ time: Int64, prefix: UInt64, into bytes: inout ByteBuffer
    ) {
        let value = UInt64((time + timeShift) & TransportStream.timestampMask)
        bytes.writeInteger(UInt8(prefix << 4 | (value >> 30) << 1 | 1))
        bytes.writeInteger(UInt16(truncatingIfNeeded: (value >> 15 & 0x7FFF) << 1 | 1))
        bytes.writeInteger(UInt16(truncatingIfNeeded: (value & 0x7FFF) << 1 | 1))
    }

    /// Cuts `scratch` into packets; the first one has the clock and the random access mark.
    private func packetize(
        _ pid: UInt16, counter: inout UInt8, clock: Int64?, isRandomAccess: Bool,
        into stream: inout ByteBuffer
    ) {
        stream.reserveCapacity(minimumWritableBytes: scratch.readableBytes * 20 / 18 + 400)
        scratch.withUnsafeReadableBytes { payload in
            var offset = 0
            while offset < payload.count {
                let isFirst = offset == 0
                var field: [UInt8] = []
                if isFirst, clock != nil || isRandomAccess {
                    field = [(isRandomAccess ? 0x40 : 0) | (clock == nil ? 0 : 0x10)]
                    if let clock { field += Self.clockReference(clock) }
                }
                let hasField = !field.isEmpty
                var room = TransportStream.packetSize - 4 - (hasField ? field.count + 1 : 0)
                let rest = payload.count - offset
                stream.writeInteger(TransportStream.syncByte)
                stream.writeInteger((isFirst ? 0x4000 : 0) | pid)
                if hasField || rest < room {
                    let stuffing = max(0, room - rest)
                    room -= stuffing
                    stream.writeInteger(0x30 | counter)
                    if hasField {
                        stream.writeInteger(UInt8(field.count + stuffing))
                        stream.writeBytes(field)
                        stream.writeRepeatingByte(0xFF, count: stuffing)
                    } else {
                        // One byte of stuffing is written as an adaptation field of length 0.
                        stream.writeInteger(UInt8(stuffing - 1))
                        if stuffing > 1 {
                            stream.writeInteger(UInt8(0))
                            stream.writeRepeatingByte(0xFF, count: stuffing - 2)
                        }
                    }
                } else {
                    stream.writeInteger(0x10 | counter)
                }
                counter = (counter + 1) & 0xF
                stream.writeBytes(UnsafeRawBufferPointer(rebasing: payload[offset..<offset + room]))
                offset += room
            }
        }
    }

    /// Encodes program_clock_reference: a base of 90 kHz, extension 0.
    private static func clockReference(_ decodeTime: Int64) -> [UInt8] {
        let base = UInt64((decodeTime + timeShift - clockLead) & TransportStream.timestampMask)
        return [
            UInt8(truncatingIfNeeded: base >> 25), UInt8(truncatingIfNeeded: base >> 17),
            UInt8(truncatingIfNeeded: base >> 9), UInt8(truncatingIfNeeded: base >> 1),
            UInt8(truncatingIfNeeded: base << 7) | 0x7E, 0,
        ]
    }

    private static func programAssociation() -> ByteBuffer {
        section(tableID: 0, body: [0, 1, 0xE0 | UInt8(TransportStream.pmtPID >> 8), 0])
    }

    private static func programMap(_ tracks: MediaTracks) -> ByteBuffer {
        let clockPID =
            tracks.video == nil ? TransportStream.audioPID : TransportStream.videoPID
        var body: [UInt8] = [0xE0 | UInt8(clockPID >> 8), UInt8(clockPID & 0xFF), 0xF0, 0]
        var streams: [(UInt8, UInt16)] = []
        if tracks.video != nil {
            streams.append((TransportStream.streamTypeAVC, TransportStream.videoPID))
        }
        if tracks.audio != nil {
            streams.append((TransportStream.streamTypeADTS, TransportStream.audioPID))
        }
        for (type, pid) in streams {
            body += [type, 0xE0 | UInt8(pid >> 8), UInt8(pid & 0xFF), 0xF0, 0]
        }
        return section(tableID: 2, body: body)
    }

    /// Makes a section of program 1 or transport stream 1, version 0, with its CRC.
    private static func section(tableID: UInt8, body: [UInt8]) -> ByteBuffer {
        var section = ByteBuffer(integer: tableID)
        section.writeInteger(UInt16(0xB000) | UInt16(body.count + 9))
        section.writeBytes([0, 1, 0xC1, 0, 0])
        section.writeBytes(body)
        section.writeInteger(TransportStream.crc(section.readableBytesView))
        return section
    }
}
