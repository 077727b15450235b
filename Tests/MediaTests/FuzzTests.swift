import Foundation
import Media
import NIOCore
import SimulationKernel
import Testing

/// The fuzz entry points run with seeded inputs of bounded size; real fuzzers call the same
/// functions.
@Suite struct FuzzTests {
    private func corpus() throws -> [[UInt8]] {
        let spec = SyntheticSpec(
            width: 64, height: 48, framesPerSecond: 10, gopFrames: 2,
            totalBitrate: Bitrate(kilobitsPerSecond: 60),
            audioBitrate: Bitrate(kilobitsPerSecond: 16))
        var source = try SyntheticSource(spec: spec)
        var file = FLVWriter.fileHeader(hasAudio: true, hasVideo: true)
        let headers: [(FLVTagType, ByteBuffer)] = [
            (.video, source.videoSequenceHeader!), (.audio, source.audioSequenceHeader!),
        ]
        for (type, payload) in headers {
            FLVWriter.write(tag: FLVTag(type: type, timestamp: 0, payload: payload), into: &file)
        }
        var bodies = headers.map { $0.1.bytes }
        for _ in 0..<12 {
            let frame = source.next()!
            let type: FLVTagType = frame.kind == .video ? .video : .audio
            let tag = FLVTag(type: type, timestamp: frame.timestamp, payload: frame.payload)
            FLVWriter.write(tag: tag, into: &file)
            bodies.append(frame.payload.bytes)
        }
        let sequenceHeader = source.videoSequenceHeader!.bytes
        return [
            file.bytes, Array(sequenceHeader.dropFirst(5)), Array(sequenceHeader.dropFirst(13)),
        ]
            + bodies
    }

    @Test(arguments: 0..<4 as Range<UInt64>) func mutatedInputsNeverTrap(seed: UInt64) throws {
        let inputs = try corpus()
        var generator = SeededGenerator(seed: seed)
        for round in 0..<300 {
            var bytes = inputs[round % inputs.count]
            for _ in 0..<Int.random(in: 0...6, using: &generator) where !bytes.isEmpty {
                let at = Int.random(in: 0..<min(bytes.count, 400), using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes[at] ^= 1 << UInt8.random(in: 0...7, using: &generator)
                case 2: bytes.removeSubrange(at...)
                default: bytes.insert([0, 1, 3, 0xFF].randomElement(using: &generator)!, at: at)
                }
            }
            bytes.withUnsafeBytes {
                FuzzEntry.fuzzFLV($0)
                FuzzEntry.fuzzH264Headers($0)
            }
        }
    }

    @Test func noiseNeverTraps() {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<2000 {
            let count = Int.random(in: 0...64, using: &generator)
            let bytes = (0..<count).map { _ in
                Bool.random(using: &generator) ? UInt8.random(in: 0...255, using: &generator) : 0
            }
            bytes.withUnsafeBytes {
                FuzzEntry.fuzzFLV($0)
                FuzzEntry.fuzzH264Headers($0)
            }
        }
    }
}
