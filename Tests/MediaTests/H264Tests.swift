import Media
import NIOCore
import Testing

@Suite struct H264Tests {
    /// Configuration records that ffmpeg 5.1 with libx264 wrote.
    private static let records:
        [(
            name: String, bytes: String, profile: UInt8, level: UInt8, width: Int, height: Int,
            framesPerSecond: Double
        )] = [
            (
                "High 854x480 at 30000/1001",
                "0164001fffe100196764001facd940d83de6f01100000303e90000ea600f18319601000668ebe3cb22c0"
                    + "fdf8f800", 100, 31, 854, 480, 30000.0 / 1001
            ),
            (
                "High 4:2:2 720x570 at 25",
                "017a001effe1001a677a001ebcd940b4127e7c0440000003004000000c83c58b658001000668ebe3cb22"
                    + "c0fef8f800", 122, 30, 720, 570, 25
            ),
        ]

    @Test func recordsAndTheirSPS() throws {
        for entry in Self.records {
            let bytes = ByteBuffer(hex: entry.bytes)
            let record = try AVCDecoderConfigurationRecord(parsing: bytes)
            #expect(record.encoded() == bytes, "\(entry.name)")
            #expect(record.profile == entry.profile && record.level == entry.level)
            #expect(record.nalUnitLengthSize == 4)
            #expect(record.sps.count == 1 && record.pps.count == 1)
            #expect(record.trailer.readableBytes == 4)
            let sps = try SPS(parsing: record.sps[0])
            #expect(sps.profile == entry.profile && sps.level == entry.level, "\(entry.name)")
            #expect(sps.width == entry.width && sps.height == entry.height, "\(entry.name)")
            #expect(sps.framesPerSecond == entry.framesPerSecond, "\(entry.name)")
            #expect(!sps.isInterlaced)
            for length in 0..<bytes.readableBytes - 4 {
                let cut = bytes.getSlice(at: 0, length: length)!
                #expect(throws: MediaError.self) {
                    try AVCDecoderConfigurationRecord(parsing: cut)
                }
            }
            for length in 0..<12 {
                let cut = record.sps[0].getSlice(at: record.sps[0].readerIndex, length: length)!
                #expect(throws: MediaError.self) { try SPS(parsing: cut) }
            }
        }
    }

    @Test func invalidRecords() {
        for hex in ["0264001FFFE0 00", "0164001FFEE0 00"] {
            let error = #expect(throws: MediaError.self) {
                try AVCDecoderConfigurationRecord(parsing: ByteBuffer(hex: hex))
            }
            #expect(error?.code == .invalidValue)
        }
    }

    @Test func spsCropsInterlacedPictures() throws {
        let interlaced =
            "0164001effe100186764001eacd940b424d8088000000300800000190f8a14cb01000668fba3cb22c0fdf8f800"
        let record = try AVCDecoderConfigurationRecord(parsing: ByteBuffer(hex: interlaced))
        let sps = try SPS(parsing: record.sps[0])
        #expect(sps.isInterlaced && sps.width == 720 && sps.height == 576)
    }

    @Test func emulationPrevention() {
        let cases: [(name: String, payload: String, unit: String)] = [
            ("nothing to do", "0102 0000 04", "0102 0000 04"),
            ("a start code", "000001", "00000301"),
            ("each guarded value", "000000 000002 000003", "00000300 00030002 00000303"),
            ("zeros in a row", "0000000000", "00000300 000300"),
            ("a final zero stays", "0100", "0100"),
            ("final zeros", "010000", "01000003"),
        ]
        for (name, payload, unit) in cases {
            let payload = ByteBuffer(hex: payload).bytes
            let unit = ByteBuffer(hex: unit).bytes
            #expect(EmulationPrevention.removed(from: unit) == payload, "\(name)")
            #expect(EmulationPrevention.added(to: payload) == unit, "\(name)")
            let there = EmulationPrevention.added(to: payload)
            #expect(EmulationPrevention.removed(from: there) == payload, "\(name)")
        }
    }

    @Test func nalUnitsOfEveryLengthSize() throws {
        let cases: [(lengthSize: Int, bytes: String)] = [
            (1, "02 09F0 00 03 658801"), (2, "0002 09F0 0000 0003 658801"),
            (3, "000002 09F0 000000 000003 658801"),
            (4, "00000002 09F0 00000000 00000003 658801"),
        ]
        let units = [ByteBuffer(hex: "09F0"), ByteBuffer(hex: "658801")]
        for (lengthSize, bytes) in cases {
            let buffer = ByteBuffer(hex: bytes)
            #expect(try NALUnitReader.units(buffer, lengthSize: lengthSize) == units)
            let stream = try AnnexB.fromLengthPrefixed(buffer, lengthSize: lengthSize)
            #expect(stream == ByteBuffer(hex: "00000001 09F0 00000001 658801"))
            let again = try AnnexB.toLengthPrefixed(stream, lengthSize: lengthSize)
            #expect(try NALUnitReader.units(again, lengthSize: lengthSize) == units)
            let cut = buffer.getSlice(at: 0, length: buffer.readableBytes - 1)!
            #expect(throws: MediaError.self) {
                try NALUnitReader.units(cut, lengthSize: lengthSize)
            }
        }
        for lengthSize in [0, 5] {
            #expect(throws: MediaError.self) {
                try NALUnitReader.units(ByteBuffer(), lengthSize: lengthSize)
            }
        }
        var long = ByteBuffer(hex: "000001 65")
        long.writeRepeatingByte(0x88, count: 255)
        #expect(throws: MediaError.self) { try AnnexB.toLengthPrefixed(long, lengthSize: 1) }
    }

    @Test func annexBStartCodesOfEitherLength() {
        let stream = ByteBuffer(hex: "FF 000001 09F0 00000001 6588 000000 000001 000001 41")
        let expected = ["09F0", "6588", "41"].map { ByteBuffer(hex: $0) }
        #expect(AnnexB.units(stream) == expected)
        #expect(AnnexB.units(ByteBuffer(hex: "0000")) == [])
        #expect(AnnexB.units(ByteBuffer(hex: "000001")) == [])
    }

    @Test func nalUnitHeaders() {
        #expect(NALUnitType(header: 0x65) == .idrSlice && NALUnitType.idrSlice.isVCL)
        #expect(NALUnitType(header: 0x0C) == .fillerData && !NALUnitType.fillerData.isVCL)
        #expect(NALUnitType.isReference(header: 0x41))
        #expect(!NALUnitType.isReference(header: 0x01))
    }
}
