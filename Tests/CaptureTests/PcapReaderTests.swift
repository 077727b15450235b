import Capture
import Testing

struct ReadPacket: Hashable {
    var packet: PcapReader.Packet
    var bytes: [UInt8]
}

/// Reads `file` in pieces of the given sizes, and the rest at once.
func read(_ file: [UInt8], pieces: [Int] = []) throws -> [ReadPacket] {
    var reader = PcapReader()
    var packets: [ReadPacket] = []
    var offset = 0
    for size in pieces + [file.count] where offset < file.count {
        let end = min(file.count, offset + size)
        file[offset..<end].withUnsafeBytes { reader.append($0) }
        offset = end
        while try reader.next({ packets.append(ReadPacket(packet: $0, bytes: Array($1))) }) {}
    }
    try reader.finish()
    return packets
}

struct PcapReaderTests {
    static func word(_ value: UInt32, big: Bool) -> [UInt8] {
        withUnsafeBytes(of: big ? value.bigEndian : value.littleEndian) { Array($0) }
    }

    static func classic(magic: UInt32, big: Bool, fraction: UInt32) -> [UInt8] {
        let header: [UInt32] = [magic, big ? 0x0002_0004 : 0x0004_0002, 0, 0, 65535, 1]
        let record: [UInt32] = [1_700_000_000, fraction, 3, 60]
        return (header + record).flatMap { word($0, big: big) } + [9, 8, 7]
    }

    static func block(_ type: UInt32, _ body: [UInt8], big: Bool) -> [UInt8] {
        let padded = body + [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
        let length = word(UInt32(12 + padded.count), big: big)
        return word(type, big: big) + length + padded + length
    }

    static func half(_ value: UInt16, big: Bool) -> [UInt8] {
        withUnsafeBytes(of: big ? value.bigEndian : value.littleEndian) { Array($0) }
    }

    /// Makes a file: a section, an interface with `options`, an unknown block, a packet with
    /// `ticks`, a simple packet, statistics with 5 drops.
    static func pcapng(big: Bool, options: [UInt8], ticks: UInt64) -> [UInt8] {
        let magic = word(0x1A2B_3C4D, big: big) + half(1, big: big) + half(0, big: big)
        var file = block(0x0A0D_0D0A, magic + [UInt8](repeating: 0xFF, count: 8), big: big)
        file += block(
            1, half(1, big: big) + half(0, big: big) + word(0, big: big) + options, big: big)
        file += block(0xBAD, [1, 2, 3, 4, 5], big: big)
        let high = word(UInt32(ticks >> 32), big: big)
        let low = word(UInt32(truncatingIfNeeded: ticks), big: big)
        let lengths = word(3, big: big) + word(60, big: big)
        file += block(6, word(0, big: big) + high + low + lengths + [9, 8, 7], big: big)
        file += block(3, word(3, big: big) + [9, 8, 7], big: big)
        let drops = withUnsafeBytes(of: UInt64(5)) { Array($0) }
        let option = half(5, big: big) + half(8, big: big) + (big ? drops.reversed() : drops)
        file += block(5, [UInt8](repeating: 0, count: 12) + option, big: big)
        return file
    }

    static let time: Int64 = 1_700_000_000_123_456_000

    static func resolution(_ value: UInt8, big: Bool) -> [UInt8] {
        half(9, big: big) + half(1, big: big) + [value, 0, 0, 0]
    }

    static let files: [(String, [UInt8])] = [
        ("µs, little-endian", classic(magic: 0xA1B2_C3D4, big: false, fraction: 123_456)),
        ("µs, big-endian", classic(magic: 0xA1B2_C3D4, big: true, fraction: 123_456)),
        ("ns, little-endian", classic(magic: 0xA1B2_3C4D, big: false, fraction: 123_456_000)),
        ("ns, big-endian", classic(magic: 0xA1B2_3C4D, big: true, fraction: 123_456_000)),
        (
            "pcapng µs, little-endian",
            pcapng(big: false, options: [], ticks: UInt64(time / 1000))
        ),
        ("pcapng µs, big-endian", pcapng(big: true, options: [], ticks: UInt64(time / 1000))),
        (
            "pcapng ns",
            pcapng(big: false, options: resolution(9, big: false), ticks: UInt64(time))
        ),
        (
            "pcapng ps/1000 and an offset",
            pcapng(
                big: true,
                options: resolution(9, big: true) + half(14, big: true) + half(8, big: true)
                    + [0, 0, 0, 0] + word(1_700_000_000, big: true), ticks: 123_456_000)
        ),
    ]

    @Test("every format gives the same packet, however the file is split", arguments: files)
    func formats(name: String, file: [UInt8]) throws {
        let whole = try read(file)
        let first = try #require(whole.first)
        #expect(first.packet.timestampNanoseconds == Self.time)
        #expect(first.packet.linkType == .ethernet)
        #expect(first.packet.originalLength == 60)
        #expect(whole.allSatisfy { $0.bytes == [9, 8, 7] })
        for split in 0...file.count { #expect(try read(file, pieces: [split]) == whole) }
        #expect(try read(file, pieces: Array(repeating: 1, count: file.count)) == whole)
    }

    @Test("binary fractions of a second")
    func binaryResolution() throws {
        // The unit is 2^-20 s, and the time is one and a half seconds.
        let file = Self.pcapng(
            big: false, options: Self.resolution(0x80 | 20, big: false), ticks: 3 << 19)
        #expect(try read(file).first?.packet.timestampNanoseconds == 1_500_000_000)
    }

    @Test("drops that a file states")
    func drops() throws {
        var reader = PcapReader()
        Self.pcapng(big: true, options: [], ticks: 0).withUnsafeBytes { reader.append($0) }
        while try reader.next({ _, _ in }) {}
        #expect(reader.droppedPackets == 5)
    }

    /// Each block states the losses of its interface since the capture began.
    @Test("later statistics of an interface take the place of earlier ones")
    func repeatedDrops() throws {
        func statistics(_ interface: UInt32, _ drops: UInt64) -> [UInt8] {
            let count = withUnsafeBytes(of: drops.bigEndian) { Array($0) }
            return Self.block(
                5,
                Self.word(interface, big: true) + [UInt8](repeating: 0, count: 8)
                    + Self.half(5, big: true) + Self.half(8, big: true) + count, big: true)
        }
        let file =
            Self.pcapng(big: true, options: [], ticks: 0)
            + Self.block(1, [0, 1, 0, 0, 0, 0, 0, 0], big: true)
            + statistics(0, 7) + statistics(1, 2) + statistics(1, 3)
        var reader = PcapReader()
        file.withUnsafeBytes { reader.append($0) }
        while try reader.next({ _, _ in }) {}
        #expect(reader.droppedPackets == 10)
    }

    @Test("a file cut anywhere says so, after the packets before the cut")
    func truncated() throws {
        let file = Self.files[0].1 + Self.files[0].1.dropFirst(24)
        for length in 1..<file.count where length != 24 && length != 43 {
            let error = #expect(throws: CaptureError.self) {
                try read(Array(file.prefix(length)))
            }
            #expect(error?.code == (length < 24 ? .format : .truncated))
            if length > 43 { #expect(error?.message.contains("byte 43") == true) }
        }
    }

    @Test("garbage is refused with its offset")
    func garbage() throws {
        let error = #expect(throws: CaptureError.self) {
            try read(Array("this is no capture".utf8))
        }
        #expect(error?.code == .format)
        var file = Self.files[0].1
        file += [UInt8](repeating: 0xEE, count: 64)
        let later = #expect(throws: CaptureError.self) { try read(file) }
        #expect(later?.message.contains("byte 43") == true)
        #expect(throws: CaptureError.self) { try read([]) }
    }

    @Test("what is written is read back")
    func writer() throws {
        var script = PacketScript()
        script.add([1, 2, 3, 4, 5], captured: 3)
        script.add([6])
        let packets = try read(script.file)
        #expect(packets.map(\.bytes) == [[1, 2, 3], [6]])
        #expect(packets.map(\.packet.originalLength) == [5, 1])
        #expect(packets[0].packet.timestampNanoseconds == script.packets[0].time)
    }
}
