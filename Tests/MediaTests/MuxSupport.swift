import Foundation
import Media
import NIOCore
import SimulationKernel
import Testing

/// Streams for the muxers, as coded frames with their durations.
struct MuxStream {
    var tracks = MediaTracks()
    var frames: [CodedFrame] = []

    /// Reads the frames of an FLV file.
    init(flv: ByteBuffer) throws {
        var reader = FLVReader()
        reader.append(flv)
        var frameReader = FLVFrameReader()
        while let tag = try reader.next() {
            if let frame = try frameReader.read(
                tag.type, timestamp: tag.timestamp, payload: tag.payload)
            {
                frames.append(frame)
            }
        }
        tracks = frameReader.tracks
        setDurations()
    }

    init(synthetic spec: SyntheticSpec, frames count: Int) throws {
        var source = try SyntheticSource(spec: spec)
        var frameReader = FLVFrameReader()
        if let header = source.videoSequenceHeader {
            _ = try frameReader.read(.video, timestamp: 0, payload: header)
        }
        if let header = source.audioSequenceHeader {
            _ = try frameReader.read(.audio, timestamp: 0, payload: header)
        }
        var number: UInt64 = 0
        for _ in 0..<count {
            guard var frame = source.next() else { break }
            if frame.kind == .video {
                let stamp = FrameStamp(streamID: 3, frameNumber: number, intendedNanoseconds: 7)
                frame.stamp(stamp, nalUnitLengthSize: source.nalUnitLengthSize)
                number += 1
            }
            let coded = try frameReader.read(
                frame.kind == .video ? .video : .audio, timestamp: frame.timestamp,
                payload: frame.payload)
            frames.append(try #require(coded))
        }
        tracks = frameReader.tracks
        setDurations()
    }

    private mutating func setDurations() {
        var next: [CodedFrame.Kind: Int64] = [:]
        for index in frames.indices.reversed() {
            let frame = frames[index]
            frames[index].duration = next[frame.kind].map { $0 - frame.decodeTime } ?? 3000
            next[frame.kind] = frame.decodeTime
        }
    }

    /// Returns runs of frames that begin with a key frame.
    func groups(every count: Int) -> [[CodedFrame]] {
        var groups: [[CodedFrame]] = [[]]
        for frame in frames {
            let starts = tracks.video == nil || frame.kind == .video && frame.isKeyFrame
            if starts, groups[groups.count - 1].count >= count { groups.append([]) }
            groups[groups.count - 1].append(frame)
        }
        return groups
    }

    func transportStream() throws -> [ByteBuffer] {
        var muxer = try TransportStreamMuxer(tracks: tracks)
        return try groups(every: 20).map { group in
            var segment = ByteBuffer()
            muxer.beginSegment(into: &segment)
            for frame in group { try muxer.write(frame, into: &segment) }
            muxer.flush(into: &segment)
            return segment
        }
    }

    /// Returns the initialization segment, and media segments with `chunk` frames in a fragment.
    func fragmentedMP4(chunk: Int) throws -> (ByteBuffer, [ByteBuffer]) {
        var muxer = try FragmentedMP4Muxer(tracks: tracks)
        let segments = groups(every: 20).map { group in
            var segment = ByteBuffer()
            muxer.beginSegment(into: &segment)
            for start in stride(from: 0, to: group.count, by: chunk) {
                let end = min(group.count, start + chunk)
                muxer.writeFragment(Array(group[start..<end]), into: &segment)
            }
            return segment
        }
        return (muxer.initializationSegment, segments)
    }
}
