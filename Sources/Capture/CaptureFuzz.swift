/// Entry points for a fuzzer: no input may trap, and every packet is accounted for exactly once.
public enum CaptureFuzz {
    /// Reads and analyses a capture file, gzip-compressed or not, to its end.
    public static func fuzzPcap(_ bytes: UnsafeRawBufferPointer) {
        var analyzer = CaptureAnalyzer(options: options)
        let reader = CaptureFileReader()
        var offset = 0
        // A few compressed bytes may expand to so much that they would take all of the fuzzer's
        // time.
        var budget = 2_000
        do {
            while offset < bytes.count, budget > 0 {
                let piece = bytes.from(offset).upTo(1000)
                offset += piece.count
                try reader.read(piece) { packet, bytes in
                    budget -= 1
                    guard budget > 0 else { return }
                    analyzer.packet(
                        timestampNanoseconds: packet.timestampNanoseconds,
                        linkType: packet.linkType, captured: bytes,
                        originalLength: packet.originalLength, interface: packet.interface)
                }
            }
            try reader.finish()
        } catch {}
        check(&analyzer)
    }

    /// Analyses packets of one link type. The input is the type's number in two bytes, then for
    /// each packet its length in two bytes, the number of bytes it lacks of the original packet in
    /// one byte, and its bytes.
    public static func fuzzPackets(_ bytes: UnsafeRawBufferPointer) {
        guard let type = bytes.read(UInt16.self, at: 0) else { return }
        var analyzer = CaptureAnalyzer(options: options)
        var offset = 2
        var time: Int64 = 0
        while let length = bytes.read(UInt16.self, at: offset),
            let missing = bytes.read(UInt8.self, at: offset + 2)
        {
            let packet = bytes.from(offset + 3).upTo(Int(length))
            offset += 3 + packet.count
            time += 300_000
            analyzer.packet(
                timestampNanoseconds: time, linkType: LinkType(rawValue: UInt32(type)),
                captured: packet, originalLength: packet.count + Int(missing) * 16,
                interface: UInt32(missing & 1))
        }
        check(&analyzer)
    }

    private static var options: CaptureOptions {
        var options = CaptureOptions()
        options.flowLimit = 64
        options.ingressMessageLimit = 64
        return options
    }

    private static func check(_ analyzer: inout CaptureAnalyzer) {
        analyzer.finish()
        let capture = analyzer.report().capture
        let passed = capture.passedOver.reduce(0) { $0 + $1.packets }
        precondition(
            capture.understoodPackets + passed == capture.packets, "a packet is not accounted once")
        precondition(capture.notes.allSatisfy { !$0.isEmpty }, "a note says nothing")
    }
}

extension CaptureAnalyzer {
    /// Analyses the next packet of `reader`. Returns false if `reader` needs more bytes.
    public mutating func read(from reader: inout PcapReader) throws(CaptureError) -> Bool {
        let isPacket = try reader.next { packet, bytes in
            self.packet(
                timestampNanoseconds: packet.timestampNanoseconds, linkType: packet.linkType,
                captured: bytes, originalLength: packet.originalLength,
                interface: packet.interface)
        }
        if reader.interfaceNames.count != sorter.copies.interfaceNames.count {
            sorter.copies.interfaceNames = reader.interfaceNames
        }
        if let dropped = reader.droppedPackets { setDroppedPackets(dropped) }
        return isPacket
    }
}

extension CaptureAnalyzer {
    /// Reads the next bytes of a capture file, gzip-compressed or not, and analyses the packets in
    /// them.
    /// - Throws: `.format` if the bytes make no sense; the packets before them are analysed.
    public mutating func read(
        _ bytes: UnsafeRawBufferPointer, from reader: CaptureFileReader
    ) throws(CaptureError) {
        try reader.read(bytes) { packet, bytes in
            self.packet(
                timestampNanoseconds: packet.timestampNanoseconds, linkType: packet.linkType,
                captured: bytes, originalLength: packet.originalLength,
                interface: packet.interface)
        }
        if reader.interfaceNames.count != sorter.copies.interfaceNames.count {
            sorter.copies.interfaceNames = reader.interfaceNames
        }
        if let dropped = reader.droppedPackets { setDroppedPackets(dropped) }
    }
}
