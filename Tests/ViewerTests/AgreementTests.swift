import Media
import NIOCore
import Testing

@testable import Viewer

/// The load viewer, the probe's reader and the file source see the same media in one FLV stream.
@Suite struct AgreementTests {
    private func raw(_ flags: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let size = payload.count
        return [flags, UInt8(size >> 16), UInt8(size >> 8 & 0xFF), UInt8(size & 0xFF)]
            + [0, 0, 0, 0, 0, 0, 0] + payload + [0, 0, 0, 0]
    }

    @Test func whatIsToBeSkippedIsSkippedByAll() throws {
        // A header of 12 bytes, then reserved types and bits, encrypted and empty tags.
        var bytes: [UInt8] = [0x46, 0x4C, 0x56, 1, 5, 0, 0, 0, 12, 1, 2, 3, 0, 0, 0, 0]
        let sound: [UInt8] = [0x2F, 1, 2, 3]
        for _ in 0..<3 {
            bytes += raw(8, sound) + raw(0xC8, sound) + raw(0x28, sound) + raw(31, sound)
            bytes += raw(18, [2, 0, 0]) + raw(8, []) + raw(0, [1])
        }
        var counter = FLVTagCounter()
        try bytes.withUnsafeBytes { try counter.consume($0) }
        #expect(counter.audioMessages == 6 && counter.videoMessages == 0)
        var reader = FLVReader()
        reader.append(ByteBuffer(bytes: bytes))
        var seen = 0
        while let tag = try reader.next() {
            if tag.type == .audio, !tag.isFiltered, tag.payload.readableBytes > 0 { seen += 1 }
        }
        #expect(seen == counter.audioMessages)
        #expect(try FileSource(flv: ByteBuffer(bytes: bytes)).frameCount == seen)
    }

    /// A hostile stamp and hostile timestamps end nothing, whatever the clock says.
    @Test func hostileNumbersInAProbe() {
        let spec = ViewerSpec(index: 0, transport: .rtmp, url: "rtmp://h/live/a")
        for now in [1, 1_000_000_000, 1 << 60] as [Int64] {
            var account = ProbeAccount(spec, askedAt: 1, frameLimit: 10)
            for (number, time) in [(0, Int64.max), (UInt64.max, Int64.max - 1), (5, 1)] {
                let stamp = FrameStamp(
                    streamID: 1, frameNumber: number, intendedNanoseconds: time,
                    latenessMicroseconds: .max)
                var payload = ByteBuffer(bytes: [0x17, 1, 0, 0, 0])
                payload.writeInteger(UInt32(FrameStamp.nalUnitLength))
                payload.writeImmutableBuffer(stamp.nalUnit)
                payload.writeBytes([0, 0, 0, 1, 0x65])
                _ = account.receive(isVideo: true, timestamp: 0, payload: payload, now: now)
            }
            // Each step is as far forward as a timestamp can go.
            var timestamp: UInt32 = 0
            for _ in 0..<20_000 {
                timestamp &+= 0x7FFF_FFFF
                _ = account.receive(
                    isVideo: false, timestamp: timestamp, payload: ByteBuffer(bytes: [0xAF, 1, 2]),
                    now: now)
            }
            _ = account.finish(now: now)
        }
    }
}
