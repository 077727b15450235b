import Testing

@testable import Capture

/// Files that are compressed, cut, or not captures.
struct CaptureFileTests {
    /// Makes a gzip file of stored blocks (RFC 1951, 3.2.4).
    static func gzip(_ bytes: [UInt8]) -> [UInt8] {
        var file: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
        var start = 0
        repeat {
            let end = min(bytes.count, start + 50_000)
            let length = end - start
            file += [end == bytes.count ? 1 : 0, UInt8(length & 255), UInt8(length >> 8)]
            file += [UInt8(~length & 255), UInt8(~length >> 8 & 255)] + bytes[start..<end]
            start = end
        } while start < bytes.count
        var crc: UInt32 = .max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
        for word in [~crc, UInt32(bytes.count)] {
            file += (0..<4).map { UInt8(word >> (8 * UInt32($0)) & 0xFF) }
        }
        return file
    }

    private func analyze(
        _ file: [UInt8], pieces: Int = .max
    ) -> (report: CaptureReport, error: CaptureError?) {
        var analyzer = CaptureAnalyzer()
        let reader = CaptureFileReader()
        var failure: CaptureError?
        do throws(CaptureError) {
            var start = 0
            while start < file.count {
                let end = start + min(pieces, file.count - start)
                let piece = Array(file[start..<end])
                start = end
                var error: CaptureError?
                piece.withUnsafeBytes { bytes in
                    do throws(CaptureError) {
                        try analyzer.read(bytes, from: reader)
                    } catch let problem {
                        error = problem
                    }
                }
                if let error { throw error }
            }
            try reader.finish()
        } catch {
            failure = error
        }
        analyzer.finish()
        return (analyzer.report(), failure)
    }

    @Test(
        "a gzip-compressed capture gives the plain one's report", arguments: [1, 7, 4096, Int.max])
    func compressed(pieces: Int) {
        let file = LayerTests.script.file
        for bytes in [
            file, Self.gzip(file),
            Self.gzip(Array(file[..<5000])) + Self.gzip(Array(file[5000...])),
        ] {
            let (report, error) = analyze(bytes, pieces: pieces)
            #expect(error == nil)
            #expect(LayerTests.Outcome(report) == LayerTests.plain)
        }
    }

    @Test("a cut or damaged compressed file says so, after the packets before the cut")
    func cut() {
        let file = Self.gzip(LayerTests.script.file)
        for length in stride(from: 2, to: file.count, by: 501) {
            let (report, error) = analyze(Array(file.prefix(length)))
            #expect(error?.code == .truncated)
            #expect(error?.message.contains("byte \(length)") ?? false)
            #expect(report.capture.packets > 0 || length < 700)
        }
        var damaged = file
        damaged[file.count - 6] ^= 0xFF
        let (report, error) = analyze(damaged)
        #expect(error?.message.contains("damaged") ?? false)
        #expect(LayerTests.Outcome(report) == LayerTests.plain)
    }

    /// Table of words in the message, and the first bytes.
    static let kinds: [(String, [UInt8])] = [
        ("zstdcat FILE | millrace analyze -", [0x28, 0xB5, 0x2F, 0xFD]),
        ("zstdcat", [0x50, 0x2A, 0x4D, 0x18]),
        ("xzcat", [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]),
        ("lz4cat", [0x04, 0x22, 0x4D, 0x18]),
        ("bzcat", Array("BZh91AY&SY".utf8)),
        ("zcat", [0x1F, 0x9D, 0x90]),
        ("unzip -p", [0x50, 0x4B, 3, 4]),
        ("7z x -so", [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]),
        ("snoop", Array("snoop\0\0\0".utf8) + [0, 0, 0, 2]),
        ("Network Monitor", Array("GMBU".utf8)),
        ("iptrace", Array("iptrace 2.0".utf8)),
        (
            "ERF",
            [0, 0, 0, 0, 0x80, 0x40, 0x20, 0x65, 2, 4, 0, 80, 0, 0, 0, 60] + Layers.zeros(64)
        ),
        (
            "etl2pcapng", [0, 0, 1, 0, 0x48, 1, 0, 0, 0x48, 1, 0, 0] + Layers.zeros(60)
        ),
        ("text", Array("12:00:01.000 IP 10.0.0.1.1935 > 10.0.0.2.40000: tcp 12\n".utf8)),
        ("an FLV media file", Array("FLV".utf8) + [1, 5, 0, 0, 0, 9]),
        ("MP4", [0, 0, 0, 24] + Array("ftypisom".utf8)),
        ("0x0102030405060708", [1, 2, 3, 4, 5, 6, 7, 8]),
        ("empty", []),
    ]

    @Test("what is no capture is named, with the mend", arguments: kinds.indices)
    func named(index: Int) {
        let (words, bytes) = Self.kinds[index]
        for pieces in [1, Int.max] {
            for padding in bytes.isEmpty || words == "text" ? [0] : [0, 100] {
                let (_, error) = analyze(bytes + Layers.zeros(padding), pieces: pieces)
                #expect(error?.code == .format)
                #expect(error?.message.contains(words) ?? false, "\(error?.message ?? "")")
            }
        }
    }

    @Test("a compressed file in a compressed file is named")
    func twice() {
        let (_, error) = analyze(Self.gzip(Self.gzip(LayerTests.script.file)))
        #expect(error?.message.contains("once more") ?? false)
    }

    @Test("a capture of three interfaces of different link types, as macOS has them")
    func mixed() {
        typealias Make = PcapReaderTests
        let header =
            Make.word(0x1A2B_3C4D, big: false) + Make.half(1, big: false)
            + Make.half(0, big: false) + [UInt8](repeating: 0xFF, count: 8)
        var file = Make.block(0x0A0D_0D0A, header, big: false)
        let nanoseconds = Make.half(9, big: false) + Make.half(1, big: false) + [9, 0, 0, 0]
        for (link, options) in [(1, []), (0, nanoseconds), (101, [])] as [(UInt16, [UInt8])] {
            file += Make.block(
                1, Make.half(link, big: false) + Layers.zeros(6) + options, big: false)
        }
        for (index, packet) in CopyTests.packets().enumerated() {
            // Blocks that readers skip stand between the packets.
            if index % 3 == 0 { file += Make.block(0xBAD, [1, 2, 3], big: false) }
            if index % 5 == 0 {
                file += Make.block(0x4000_0BAD, Make.word(32_473, big: false) + [7], big: false)
            }
            let bytes =
                [
                    Layers.ethernet(packet.bytes, type: 0x0800), [2, 0, 0, 0] + packet.bytes,
                    packet.bytes,
                ][index % 3]
            let ticks = index % 3 == 1 ? packet.time : packet.time / 1_000
            let length = Make.word(UInt32(bytes.count), big: false)
            file += Make.block(
                6,
                Make.word(UInt32(index % 3), big: false)
                    + Make.word(UInt32(truncatingIfNeeded: ticks >> 32), big: false)
                    + Make.word(UInt32(truncatingIfNeeded: ticks), big: false) + length + length
                    + bytes, big: false)
        }
        for pieces in [1_000, Int.max] {
            let (report, error) = analyze(file, pieces: pieces)
            #expect(error == nil)
            #expect(LayerTests.Outcome(report) == LayerTests.plain)
            #expect(report.capture.copies == nil && report.capture.passedOver.isEmpty)
        }
    }

    @Test("interfaces of mixed link types, over several sections, are told apart")
    func sections() {
        let big = true
        func section(_ link: UInt16, _ name: String, _ packet: [UInt8], _ ticks: UInt32) -> [UInt8]
        {
            let magic =
                PcapReaderTests.word(0x1A2B_3C4D, big: big) + PcapReaderTests.half(1, big: big)
                + PcapReaderTests.half(0, big: big)
            let option =
                PcapReaderTests.half(2, big: big)
                + PcapReaderTests.half(UInt16(name.utf8.count), big: big) + Array(name.utf8)
                + Layers.zeros((4 - name.utf8.count % 4) % 4) + Layers.zeros(4)
            let length = PcapReaderTests.word(UInt32(packet.count), big: big)
            return PcapReaderTests.block(
                0x0A0D_0D0A, magic + [UInt8](repeating: 0xFF, count: 8), big: big)
                + PcapReaderTests.block(
                    1, PcapReaderTests.half(link, big: big) + Layers.zeros(6) + option, big: big)
                + PcapReaderTests.block(
                    6,
                    Layers.zeros(8) + PcapReaderTests.word(ticks, big: big) + length + length
                        + packet, big: big)
        }
        let packet = CopyTests.packets()[0].bytes
        let file =
            section(101, "tun0", packet, 100)
            + section(1, "eth0", Layers.ethernet(packet, type: 0x0800), 110)
        let (report, error) = analyze(file)
        #expect(error == nil)
        #expect(report.capture.packets == 1)
        #expect(report.capture.copies?.interfaces == ["tun0", "eth0"])
    }
}
