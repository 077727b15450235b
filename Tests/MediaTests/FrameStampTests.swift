import Media
import NIOCore
import SimulationKernel
import Testing

@Suite struct FrameStampTests {
    private static let stamp = FrameStamp(
        streamID: 0x8000_0001, frameNumber: 300, intendedNanoseconds: -1,
        latenessMicroseconds: 129)
    private static let unit =
        "06 05 2E 8B3FD174A65C4E92B719E36D2AF8C547"
        + "88 80 80 80 81" + "80 80 80 80 80 80 80 80 82 AC" + "81 FF FF FF FF FF FF FF FF FF"
        + "80 80 80 81 81" + "80"

    /// Makes an access unit of NAL units with four-byte lengths.
    private func prefixed(_ units: [ByteBuffer], lengthSize: Int = 4) -> ByteBuffer {
        var buffer = ByteBuffer()
        for unit in units {
            for shift in (0..<lengthSize).reversed() {
                buffer.writeInteger(UInt8(truncatingIfNeeded: unit.readableBytes >> (8 * shift)))
            }
            buffer.writeImmutableBuffer(unit)
        }
        return buffer
    }

    private func payload(
        _ header: String, _ units: [ByteBuffer], lengthSize: Int = 4
    ) -> ByteBuffer {
        var payload = ByteBuffer(hex: header)
        payload.writeImmutableBuffer(prefixed(units, lengthSize: lengthSize))
        return payload
    }

    private func payload(_ units: [ByteBuffer]) -> ByteBuffer { payload("17 01 000000", units) }

    private let aud = ByteBuffer(hex: "09F0")
    private let otherSEI = ByteBuffer(hex: "06 05 11 DC45E9BDE6D948B7962CD820D923EEEF 41 80")
    private let slice = ByteBuffer(hex: "65 88 84 00 10")

    @Test func theNALUnitHasFixedBytes() {
        #expect(Self.stamp.nalUnit == ByteBuffer(hex: Self.unit))
        #expect(Self.stamp.nalUnit.readableBytes == FrameStamp.nalUnitLength)
        #expect(!FrameStamp.uuid.contains(0))
    }

    @Test func extremeValuesSurviveAndNoByteIsZero() {
        for streamID in [0, 1, 127, 128, .max] as [UInt32] {
            for number in [0, 1, 1 << 63, .max] as [UInt64] {
                for time in [0, 1, -1, .min, .max] as [Int64] {
                    let stamp = FrameStamp(
                        streamID: streamID, frameNumber: number, intendedNanoseconds: time)
                    #expect(!stamp.nalUnit.bytes.contains(0))
                    let body = payload([stamp.nalUnit, slice])
                    #expect(FrameStamp.find(inVideoPayload: body, nalUnitLengthSize: 4) == stamp)
                }
            }
        }
    }

    @Test func itGoesRightBeforeTheFirstSlice() {
        for lengthSize in 1...4 {
            for header in ["17 01 000000", "27 01 FFFFD8", "A1 61766331 000028", "93 61766331"] {
                let body = payload(header, [aud, otherSEI, slice, slice], lengthSize: lengthSize)
                let stamped = Self.stamp.inserted(into: body, nalUnitLengthSize: lengthSize)
                #expect(
                    stamped
                        == payload(
                            header, [aud, otherSEI, Self.stamp.nalUnit, slice, slice],
                            lengthSize: lengthSize))
                let found = FrameStamp.find(
                    inVideoPayload: stamped, nalUnitLengthSize: lengthSize)
                #expect(found == Self.stamp)
            }
        }
    }

    @Test func anExistingStampIsOverwritten() {
        let body = payload([Self.stamp.nalUnit, slice])
        let other = FrameStamp(streamID: 2, frameNumber: 3, intendedNanoseconds: 4)
        let again = other.inserted(into: body, nalUnitLengthSize: 4)
        #expect(again == payload([other.nalUnit, slice]))
        #expect(FrameStamp.find(inVideoPayload: body, nalUnitLengthSize: 4) == Self.stamp)
    }

    @Test func whatIsNotACodedAVCFrameStaysUnchanged() {
        let bodies = [
            ByteBuffer(), ByteBuffer(hex: "17 00 000000 01640028"),
            payload("1C 01 000000", [slice]), payload("91 68766331 000000", [slice]),
            payload([otherSEI]), payload([]), ByteBuffer(hex: "17 01 000000 000000FF 65"),
            ByteBuffer(hex: "17 01 000000 0000"),
        ]
        for body in bodies {
            #expect(Self.stamp.inserted(into: body, nalUnitLengthSize: 4) == body)
            #expect(FrameStamp.find(inVideoPayload: body, nalUnitLengthSize: 4) == nil)
        }
    }

    @Test func stampsBehindTheSliceOrDamagedOnesAreNotFound() {
        let behind = payload([slice, Self.stamp.nalUnit])
        #expect(FrameStamp.find(inVideoPayload: behind, nalUnitLengthSize: 4) == nil)
        for offset in 0..<FrameStamp.fieldsLength {
            var unit = Self.stamp.nalUnit
            unit.setInteger(UInt8(0x01), at: FrameStamp.fieldsOffset + offset)
            let damaged = payload([unit, slice])
            #expect(FrameStamp.find(inVideoPayload: damaged, nalUnitLengthSize: 4) == nil)
        }
        let body = payload([Self.stamp.nalUnit, slice])
        for length in 0..<body.readableBytes - slice.readableBytes - 5 {
            let cut = body.getSlice(at: 0, length: length)!
            #expect(FrameStamp.find(inVideoPayload: cut, nalUnitLengthSize: 4) == nil)
        }
    }

    @Test func aStampMergedWithOtherMessagesIsFound() {
        // The unit holds pic_timing with emulation prevention, then our message, then another one.
        var unit = ByteBuffer(hex: "06 01 04 00 00 03 01 02")
        unit.writeImmutableBuffer(Self.stamp.nalUnit.getSlice(at: 1, length: 48)!)
        unit.writeBytes([0x06, 0x01, 0xC4, 0x80])
        let body = payload([unit, slice])
        #expect(FrameStamp.find(inVideoPayload: body, nalUnitLengthSize: 4) == Self.stamp)
    }

    @Test func annexBIsSearchedUpToTheFirstSlice() throws {
        let front = prefixed([aud, otherSEI, Self.stamp.nalUnit, slice])
        let stream = try AnnexB.fromLengthPrefixed(front, lengthSize: 4)
        #expect(FrameStamp.find(inAnnexB: stream) == Self.stamp)
        let behind = try AnnexB.fromLengthPrefixed(
            prefixed([slice, Self.stamp.nalUnit]), lengthSize: 4)
        #expect(FrameStamp.find(inAnnexB: behind) == nil)
        #expect(FrameStamp.find(inAnnexB: ByteBuffer(hex: "000001")) == nil)
    }
}
