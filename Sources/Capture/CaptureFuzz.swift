/// Entry points for a fuzzer: no input may trap.
public enum CaptureFuzz {
    /// A capture file, read and analysed to the end.
    public static func fuzzPcap(_ bytes: UnsafeRawBufferPointer) {
        var options = CaptureOptions()
        options.flowLimit = 64
        options.ingressMessageLimit = 64
        var analyzer = CaptureAnalyzer(options: options)
        var reader = PcapReader()
        var offset = 0
        do {
            while offset < bytes.count {
                let piece = bytes.from(offset).upTo(1000)
                offset += piece.count
                reader.append(piece)
                while try analyzer.read(from: &reader) {}
            }
            try reader.finish()
        } catch {}
        analyzer.finish()
        _ = analyzer.report()
    }
}

extension CaptureAnalyzer {
    /// Takes the next packet that `reader` has. False until more bytes are appended to it.
    public mutating func read(from reader: inout PcapReader) throws(CaptureError) -> Bool {
        let isPacket = try reader.next { packet, bytes in
            self.packet(
                timestampNanoseconds: packet.timestampNanoseconds, linkType: packet.linkType,
                captured: bytes, originalLength: packet.originalLength,
                interface: packet.interface)
        }
        if reader.interfaceNames.count != copies.interfaceNames.count {
            copies.interfaceNames = reader.interfaceNames
        }
        if let dropped = reader.droppedPackets { setDroppedPackets(dropped) }
        return isPacket
    }
}

extension CaptureAnalyzer {
    /// Takes the next bytes of a capture file, gzip-compressed or not, with the packets in them.
    /// - Throws: `.format` for bytes that make no sense; what came before them is analysed.
    public mutating func read(
        _ bytes: UnsafeRawBufferPointer, from reader: CaptureFileReader
    ) throws(CaptureError) {
        try reader.read(bytes) { packet, bytes in
            self.packet(
                timestampNanoseconds: packet.timestampNanoseconds, linkType: packet.linkType,
                captured: bytes, originalLength: packet.originalLength,
                interface: packet.interface)
        }
        if reader.interfaceNames.count != copies.interfaceNames.count {
            copies.interfaceNames = reader.interfaceNames
        }
        if let dropped = reader.droppedPackets { setDroppedPackets(dropped) }
    }
}
