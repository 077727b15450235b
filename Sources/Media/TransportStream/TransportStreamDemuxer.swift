public import NIOCore

/// Reads access units from an MPEG-2 transport stream, as far as probes need them: one program,
/// H.264 and AAC in ADTS, sections that fit one packet.
public struct TransportStreamDemuxer: Sendable {
    /// Payload of one PES packet.
    public struct AccessUnit: Hashable, Sendable {
        public var kind: CodedFrame.Kind
        /// Presentation time in ticks of 90 kHz, unwrapped from the first one on; nil if the packet
        /// has none.
        public var presentationTime: Int64?
        /// Decode time; equals the presentation time if the packet has only that one.
        public var decodeTime: Int64?
        /// random_access_indicator.
        public var isRandomAccess: Bool
        /// Payload: H.264 as annex B, or ADTS frames.
        public var payload: ByteBuffer
        /// Number of bytes from the start, or from the last `finish()`, to the end of the unit's
        /// last packet.
        public var endOffset: Int
    }

    private struct Pending: Sendable {
        var kind: CodedFrame.Kind
        var bytes = ByteBuffer()
        var isRandomAccess = false
        var counter: UInt8?
        var isRepeated = false
        var isOpen = false
        var endOffset = 0
    }

    /// Largest PES packet in bytes; a larger one is an error.
    public let maximumUnitSize: Int
    /// Number of times that continuity_counter showed missing packets of a track.
    public private(set) var continuityErrors = 0
    /// Number of packets that the standard tells readers to skip: packets that are marked as
    /// damaged or scrambled, have a reserved or impossible adaptation field, or were sent twice.
    public private(set) var skippedPackets = 0
    private var buffer = ByteBuffer()
    private var pmtPID: UInt16?
    private var pending: [UInt16: Pending] = [:]
    private var ready: [AccessUnit] = []
    private var nextReady = 0
    private var referenceTime: Int64?
    /// Number of bytes in the packets read since the last `finish()`.
    private var position = 0

    /// - Parameter maximumUnitSize: Largest PES packet in bytes.
    public init(maximumUnitSize: Int = 8 << 20) { self.maximumUnitSize = maximumUnitSize }

    /// Adds the next bytes of the stream.
    public mutating func append(_ bytes: ByteBuffer) { buffer.writeImmutableBuffer(bytes) }

    /// Returns the next access unit, or nil if more bytes are needed. The last unit of each track
    /// comes with `finish()`, unless its PES packet states its length.
    /// - Throws: `MediaError`: `.invalidValue` if the stream loses its 188-byte rhythm,
    ///   `.tooLarge`, `.unsupported`.
    public mutating func next() throws -> AccessUnit? {
        while nextReady >= ready.count {
            ready.removeAll(keepingCapacity: true)
            nextReady = 0
            guard buffer.readableBytes >= TransportStream.packetSize,
                let packet = buffer.readSlice(length: TransportStream.packetSize)
            else {
                buffer.discardReadBytes()
                return nil
            }
            try read(packet)
        }
        nextReady += 1
        return ready[nextReady - 1]
    }

    /// Ends the stream, as a segment's end does, and returns the access units still open.
    public mutating func finish() -> [AccessUnit] {
        for pid in pending.keys.sorted() { close(pid) }
        defer {
            ready.removeAll()
            nextReady = 0
            buffer.clear()
            position = 0
        }
        return Array(ready[nextReady...])
    }

    /// Returns all access units of a whole segment.
    public static func accessUnits(_ segment: ByteBuffer) throws -> [AccessUnit] {
        var demuxer = TransportStreamDemuxer()
        demuxer.append(segment)
        var units: [AccessUnit] = []
        while let unit = try demuxer.next() { units.append(unit) }
        return units + demuxer.finish()
    }

    private mutating func read(_ packet: ByteBuffer) throws {
        var rest = packet
        position += packet.readableBytes
        guard rest.readInteger(as: UInt8.self) == TransportStream.syncByte,
            let bits: UInt16 = rest.readInteger(), let control: UInt8 = rest.readInteger()
        else {
            throw MediaError(.invalidValue, "a transport packet does not begin with 0x47")
        }
        let pid = bits & 0x1FFF
        let isStart = bits & 0x4000 != 0
        var flags: UInt8 = 0
        // The bits are transport_error_indicator, transport_scrambling_control and
        // adaptation_field_control.
        guard bits & 0x8000 == 0, control & 0xC0 == 0, control & 0x30 != 0 else {
            skippedPackets += 1
            return
        }
        if control & 0x20 != 0 {
            guard let length: UInt8 = rest.readInteger(),
                let field = rest.readSlice(length: Int(length))
            else {
                skippedPackets += 1
                return
            }
            flags = field.getInteger(at: field.readerIndex) ?? 0
        }
        let (isDiscontinuity, isRandomAccess) = (flags & 0x80 != 0, flags & 0x40 != 0)
        guard control & 0x10 != 0 else { return }
        if pid == TransportStream.patPID || pid == pmtPID {
            if isStart { try readSection(rest, isMap: pid == pmtPID) }
            return
        }
        guard var track = pending[pid] else { return }
        let counter = control & 0xF
        if let last = track.counter, !isDiscontinuity {
            // The standard allows a packet to be sent twice (2.4.3.3).
            if last == counter, !track.isRepeated {
                pending[pid]?.isRepeated = true
                skippedPackets += 1
                return
            }
            if (last + 1) & 0xF != counter { continuityErrors += 1 }
        }
        track.isRepeated = false
        track.counter = counter
        pending[pid] = track
        if isStart {
            close(pid)
            pending[pid]?.isOpen = true
            pending[pid]?.isRandomAccess = isRandomAccess
        }
        guard pending[pid]?.isOpen == true else { return }
        pending[pid]?.bytes.writeImmutableBuffer(rest)
        pending[pid]?.endOffset = position
        let size = pending[pid]?.bytes.readableBytes ?? 0
        guard size <= maximumUnitSize else {
            throw MediaError(.tooLarge, "a PES packet has over \(maximumUnitSize) bytes")
        }
        if let bytes = pending[pid]?.bytes, bytes.readableBytes >= 6,
            let length = bytes.getInteger(at: bytes.readerIndex + 4, as: UInt16.self), length > 0,
            bytes.readableBytes >= Int(length) + 6
        {
            close(pid)
        }
    }

    private mutating func readSection(_ payload: ByteBuffer, isMap: Bool) throws {
        var rest = payload
        guard let pointer: UInt8 = rest.readInteger(), rest.readSlice(length: Int(pointer)) != nil,
            let tableID: UInt8 = rest.getInteger(at: rest.readerIndex),
            let lengthBits: UInt16 = rest.getInteger(at: rest.readerIndex + 1)
        else { return }
        guard tableID == (isMap ? 2 : 0) else {
            skippedPackets += 1
            return
        }
        guard var section = rest.readSlice(length: Int(lengthBits & 0xFFF) + 3) else {
            throw MediaError(.unsupported, "a section that does not fit one transport packet")
        }
        guard section.readableBytes >= 12, TransportStream.crc(section.readableBytesView) == 0
        else {
            throw MediaError(.invalidValue, "the CRC of a PAT or PMT is wrong")
        }
        section.moveReaderIndex(forwardBy: 8)
        guard var body = section.readSlice(length: section.readableBytes - 4) else { return }
        if isMap {
            guard body.readSlice(length: 2) != nil, let info: UInt16 = body.readInteger(),
                body.readSlice(length: Int(info & 0xFFF)) != nil
            else { return }
            while let type: UInt8 = body.readInteger(), let pid: UInt16 = body.readInteger(),
                let info: UInt16 = body.readInteger(),
                body.readSlice(length: Int(info & 0xFFF)) != nil
            {
                let kind: CodedFrame.Kind? =
                    type == TransportStream.streamTypeAVC
                    ? .video : type == TransportStream.streamTypeADTS ? .audio : nil
                if let kind, pending[pid & 0x1FFF] == nil, pending.count < 16 {
                    pending[pid & 0x1FFF] = Pending(kind: kind)
                }
            }
        } else {
            while let program: UInt16 = body.readInteger(), let pid: UInt16 = body.readInteger() {
                if program != 0 {
                    pmtPID = pid & 0x1FFF
                    return
                }
            }
        }
    }

    /// Hands out what a track has collected.
    private mutating func close(_ pid: UInt16) {
        guard let track = pending[pid], track.isOpen else { return }
        pending[pid]?.isOpen = false
        pending[pid]?.bytes = ByteBuffer()
        var bytes = track.bytes
        guard let prefix: UInt32 = bytes.readInteger(), prefix >> 8 == 1,
            let length: UInt16 = bytes.readInteger()
        else { return }
        if length > 0, Int(length) < bytes.readableBytes {
            bytes = bytes.readSlice(length: Int(length)) ?? bytes
        }
        guard bytes.readInteger(as: UInt8.self) != nil, let flags: UInt8 = bytes.readInteger(),
            let headerLength: UInt8 = bytes.readInteger(),
            var header = bytes.readSlice(length: Int(headerLength))
        else { return }
        let presentation = flags & 0x80 != 0 ? timestamp(&header) : nil
        let decode = flags & 0xC0 == 0xC0 ? timestamp(&header) : presentation
        ready.append(
            AccessUnit(
                kind: track.kind, presentationTime: presentation, decodeTime: decode,
                isRandomAccess: track.isRandomAccess, payload: bytes.slice(),
                endOffset: track.endOffset))
    }

    private mutating func timestamp(_ header: inout ByteBuffer) -> Int64? {
        guard let high: UInt8 = header.readInteger(), let middle: UInt16 = header.readInteger(),
            let low: UInt16 = header.readInteger()
        else { return nil }
        let value = Int64(high >> 1 & 7) << 30 | Int64(middle >> 1) << 15 | Int64(low >> 1)
        guard let reference = referenceTime else {
            referenceTime = value
            return value
        }
        // Among the times with these 33 bits, the one nearest to the last time is taken.
        let period = TransportStream.timestampMask + 1
        var step = (value - reference) & TransportStream.timestampMask
        if step >= period / 2 { step -= period }
        referenceTime = reference + step
        return reference + step
    }
}

extension ADTSHeader {
    /// Returns the raw AAC frames of whole ADTS frames, with their headers; stops at bytes that are
    /// not an ADTS frame.
    public static func frames(_ stream: ByteBuffer) -> [(header: ADTSHeader, frame: ByteBuffer)] {
        var rest = stream
        var frames: [(ADTSHeader, ByteBuffer)] = []
        while let header = ADTSHeader.parse(rest),
            var frame = rest.readSlice(length: header.frameLength)
        {
            frame.moveReaderIndex(forwardBy: header.headerLength)
            frames.append((header, frame))
        }
        return frames
    }
}
