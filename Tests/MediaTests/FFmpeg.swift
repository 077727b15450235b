import Foundation
import Media
import NIOCore
import TestSupport
import Testing

/// The programs ffmpeg and ffprobe as independent oracles.
enum FFmpeg {
    static let isInstalled = Shell.has("ffmpeg", "ffprobe")

    static let skipped: Comment = "ffmpeg and ffprobe are not installed"

    /// Runs a command; standard error goes to a file, so that neither pipe can fill up.
    static func run(_ arguments: [String]) throws -> (status: Int32, output: String, errors: String)
    {
        let log = temporaryPath("log")
        defer { try? FileManager.default.removeItem(atPath: log) }
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle(forWritingAtPath: log)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let errors = try Data(contentsOf: URL(fileURLWithPath: log))
        return (
            process.terminationStatus, String(decoding: output, as: UTF8.self),
            String(decoding: errors, as: UTF8.self)
        )
    }

    static func temporaryPath(_ suffix: String) -> String {
        FileManager.default.temporaryDirectory
            .appendingPathComponent("millrace-\(UUID().uuidString).\(suffix)").path
    }

    /// Decodes all of `path` with every check that the decoders have, and expects no message.
    static func expectCleanDecode(_ path: String, _ comment: Comment) throws {
        let checks = "+crccheck+bitstream+buffer+careful+compliant+aggressive+explode"
        let result = try run([
            "ffmpeg", "-v", "warning", "-xerror", "-err_detect", checks, "-i", path, "-f", "null",
            "-",
        ])
        #expect(result.status == 0, comment)
        #expect(result.errors == "", comment)
    }

    /// Returns the key=value pairs that ffprobe prints for one stream.
    static func probe(_ path: String, stream: String) throws -> [String: String] {
        let result = try run([
            "ffprobe", "-v", "error", "-count_frames", "-select_streams", stream, "-show_entries",
            "stream=width,height,r_frame_rate,avg_frame_rate,nb_read_frames,profile,codec_name,"
                + "sample_rate,channels,has_b_frames", "-of", "default=nw=1", path,
        ])
        var values: [String: String] = [:]
        for line in result.output.split(separator: "\n") {
            let pair = line.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { values[String(pair[0])] = String(pair[1]) }
        }
        return values
    }

    /// Returns the checksums of the decoded video frames, without the header lines.
    static func frameChecksums(_ path: String) throws -> [String] {
        let result = try run([
            "ffmpeg", "-v", "error", "-i", path, "-map", "0:v", "-f", "framemd5", "-",
        ])
        #expect(result.status == 0)
        return result.output.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
    }

    /// Makes a short H.264 and AAC test pattern.
    static func makePattern(_ path: String, bFrames: Int, seconds: Double = 2) throws {
        let result = try run([
            "ffmpeg", "-v", "error", "-f", "lavfi", "-i",
            "testsrc2=size=320x180:rate=25:duration=\(seconds)", "-f", "lavfi", "-i",
            "sine=frequency=440:sample_rate=44100:duration=\(seconds)", "-c:v", "libx264",
            "-preset", "veryfast", "-g", "25", "-bf", "\(bFrames)", "-pix_fmt", "yuv420p",
            "-c:a", "aac", "-b:a", "64k", "-shortest", path,
        ])
        try #require(result.status == 0, "\(result.errors)")
    }
}

extension MediaSource {
    /// Writes the sequence headers and every frame before `seconds` as FLV.
    mutating func writeFLV(
        to path: String, seconds: Double, stamped streamID: UInt32? = nil
    ) throws -> [SourceFrame] {
        var file = FLVWriter.fileHeader(
            hasAudio: audioSequenceHeader != nil, hasVideo: videoSequenceHeader != nil)
        if let header = videoSequenceHeader {
            FLVWriter.write(tag: FLVTag(type: .video, timestamp: 0, payload: header), into: &file)
        }
        if let header = audioSequenceHeader {
            FLVWriter.write(tag: FLVTag(type: .audio, timestamp: 0, payload: header), into: &file)
        }
        var frames: [SourceFrame] = []
        var number: UInt64 = 0
        while var frame = try next(), Double(frame.dtsNanoseconds) < seconds * 1e9 {
            if let streamID, frame.kind == .video {
                let stamp = FrameStamp(
                    streamID: streamID, frameNumber: number,
                    intendedNanoseconds: frame.dtsNanoseconds)
                frame.stamp(stamp, nalUnitLengthSize: nalUnitLengthSize)
                number += 1
            }
            FLVWriter.write(
                tag: FLVTag(
                    type: frame.kind == .video ? .video : .audio, timestamp: frame.timestamp,
                    payload: frame.payload), into: &file)
            frames.append(frame)
        }
        try Data(file.readableBytesView).write(to: URL(fileURLWithPath: path))
        return frames
    }
}
