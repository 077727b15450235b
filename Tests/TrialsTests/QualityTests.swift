import Foundation
import Media
import NIOCore
import Processes
import Server
import Testing

@testable import Analysis
@testable import Trials

/// Compares pictures with their source. Frames are paired by stamps, and the figures must equal
/// those of an ffmpeg command that pairs them explicitly.
@Suite(
    .enabled(
        if: (try? FFmpegProgram.path(nil)) != nil,
        "ffmpeg is missing; install it with: apt-get install ffmpeg"),
    .timeLimit(.minutes(2)))
struct QualityTests {
    /// A directory with a stamped source of 90 different frames at 30 frames a second.
    private final class Workshop {
        let directory = NSTemporaryDirectory() + "millrace-quality-\(UUID().uuidString)"
        var source: String { directory + "/source.flv" }

        init() async throws {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true)
            let plain = directory + "/plain.flv"
            _ = try await ffmpeg(
                ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=30:duration=3"]
                    + ["-vf", "noise=alls=12:allf=t:all_seed=5", "-pix_fmt", "yuv420p"]
                    + ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-bf", "0"]
                    + ["-g", "30", plain])
            var number: UInt64 = 0
            try rewrite(plain, as: source) { tag in
                guard VideoTagHeader.parse(tag.payload)?.hasCodedFrames ?? false else { return }
                let stamp = FrameStamp(
                    streamID: 1, frameNumber: number,
                    intendedNanoseconds: Int64(number) * 33_333_333)
                tag.payload = stamp.inserted(into: tag.payload, nalUnitLengthSize: 4)
                number += 1
            }
            #expect(number == 90)
        }

        deinit { try? FileManager.default.removeItem(atPath: directory) }

        /// Runs ffmpeg and returns its standard error.
        func ffmpeg(_ arguments: [String]) async throws -> String {
            let log = "\(directory)/\(UUID().uuidString).log"
            let child = try ChildProcess(
                name: "ffmpeg",
                .init(
                    path: try FFmpegProgram.path(nil),
                    arguments: ["-hide_banner", "-nostdin", "-nostats", "-y"] + arguments,
                    logPath: log))
            for await _ in child.lines() {}
            let status = await child.wait()
            let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
            try #require(status.isSuccess, "\(text.suffix(2000))")
            return text
        }

        /// Encodes the source with `arguments`, and returns the path of the result.
        func rendition(_ arguments: [String]) async throws -> String {
            let path = "\(directory)/\(UUID().uuidString).flv"
            _ = try await ffmpeg(
                ["-copyts", "-i", source, "-fps_mode", "passthrough"] + arguments
                    + ["-c:v", "libx264", "-udu_sei", "1", "-g", "30", path])
            return path
        }

        /// Changes the tags of an FLV file.
        func rewrite(
            _ path: String, as target: String, _ change: (inout FLVTag) -> Void
        ) throws {
            var reader = FLVReader()
            reader.append(ByteBuffer(bytes: try Data(contentsOf: URL(fileURLWithPath: path))))
            var file = FLVWriter.fileHeader(hasAudio: false, hasVideo: true)
            while var tag = try reader.next() {
                guard tag.type == .video else { continue }
                change(&tag)
                FLVWriter.write(tag: tag, into: &file)
            }
            try Data(file.readableBytesView).write(to: URL(fileURLWithPath: target))
        }

        private static func recording(_ path: String) throws -> StampedRecording {
            try StampedRecording([UInt8](Data(contentsOf: URL(fileURLWithPath: path))))
        }

        func compare(
            _ rendition: String, frames: Int = 90, from: Int64 = 0
        ) async throws -> RenditionQuality {
            try await QualityComparison(
                pair: try PairedRecordings(
                    source: try Self.recording(source),
                    rendition: try Self.recording(rendition), frames: frames, from: from),
                directory: directory, name: UUID().uuidString
            ).run()
        }

        /// Computes the figures by position: the n-th frame of the rendition after the filter `own`
        /// is compared with the n-th frame of the source after `filter`.
        func byHand(
            _ rendition: String, source filter: String = "null", rendition own: String = "null",
            frames: Int
        ) async throws -> RenditionQuality {
            let graph =
                "[0:v]\(own),scale=160:90:flags=bicubic,format=yuv420p,settb=1/30,setpts=N,split[a][b];"
                + "[1:v]\(filter),format=yuv420p,settb=1/30,setpts=N,split[c][d];"
                + "[a][c]ssim=shortest=1[s];[b][d]psnr=shortest=1[p]"
            let log = try await ffmpeg(
                ["-i", rendition, "-i", source, "-filter_complex", graph]
                    + ["-map", "[s]", "-f", "null", "-", "-map", "[p]", "-f", "null", "-"])
            return try QualityComparison.figures(log, frames: frames)
        }
    }

    private static let poor = ["-vf", "scale=96:54", "-crf", "38", "-bf", "2"]

    @Test func alike() async throws {
        let shop = try await Workshop()
        let same = try await shop.compare(shop.source)
        #expect(same == RenditionQuality(ssim: 1, psnrDecibels: nil, frames: 90))
    }

    /// A smaller and coarser rendition with B-frames has the same figures as `byHand`.
    @Test func degraded() async throws {
        let shop = try await Workshop()
        let path = try await shop.rendition(Self.poor)
        let quality = try await shop.compare(path)
        #expect(quality == (try await shop.byHand(path, frames: 90)))
        #expect(quality.ssim < 0.9 && quality.ssim > 0.2)
        #expect((quality.psnrDecibels ?? 99) < 30)
    }

    /// If a rendition's clock is one frame off, times would pair the wrong frames, but stamps pair
    /// the right ones.
    @Test(arguments: [33, -33] as [Int32]) func shiftedByAFrame(milliseconds: Int32) async throws {
        let shop = try await Workshop()
        let path = try await shop.rendition(Self.poor)
        let shifted = "\(shop.directory)/shifted.flv"
        try shop.rewrite(path, as: shifted) {
            $0.timestamp = UInt32(bitPattern: Int32(bitPattern: $0.timestamp) + 1000 + milliseconds)
        }
        let right = try await shop.compare(path)
        #expect(try await shop.compare(shifted) == right)
        // These are the figures if each frame were paired with the neighbour of its source frame.
        let wrong = try await shop.byHand(
            path, source: milliseconds > 0 ? "trim=start_frame=1" : "null",
            rendition: milliseconds > 0 ? "null" : "trim=start_frame=1", frames: 90)
        #expect(wrong.ssim < right.ssim - 0.005, "\(wrong) \(right)")
    }

    /// In a rendition with fewer frames than the source, each frame is paired with the frame that
    /// it was made from.
    @Test(arguments: [
        (15, "select='not(mod(n,2))'", 45), (24, "select='mod(n,5)'", 72),
    ])
    func fewerFrames(rate: Int, pick: String, count: Int) async throws {
        let shop = try await Workshop()
        let path = try await shop.rendition(["-vf", "\(pick),scale=96:54", "-crf", "30"])
        let quality = try await shop.compare(path)
        #expect(quality == (try await shop.byHand(path, source: pick, frames: count)))
        #expect(quality.frames == count)
    }

    /// Part of a rendition that begins later than its source can be compared.
    @Test func stretch() async throws {
        let shop = try await Workshop()
        let path = try await shop.rendition(["-vf", "trim=start_frame=20"] + ["-crf", "35"])
        let quality = try await shop.compare(path, frames: 30, from: 999_000_000)
        let expected = try await shop.byHand(
            path, source: "trim=start_frame=30:end_frame=60",
            rendition: "trim=start_frame=10:end_frame=40", frames: 30)
        #expect(quality == expected)
    }

    /// There is no figure if the source frame of a frame is not known.
    @Test func withoutCounterparts() async throws {
        let shop = try await Workshop()
        let path = try await shop.rendition(["-crf", "35", "-bf", "0"])
        let unstamped = "\(shop.directory)/unstamped.flv"
        var frame = 0
        try shop.rewrite(path, as: unstamped) { tag in
            frame += 1
            guard frame == 40,
                let place = tag.payload.readableBytesView.firstRange(of: FrameStamp.uuid)
            else { return }
            tag.payload.setInteger(UInt8(1), at: place.lowerBound)
        }
        let error = await #expect(throws: QualityError.self) { try await shop.compare(unstamped) }
        #expect(error?.description.hasPrefix("1 of 90 frames have no counterpart") ?? false)
        await #expect(throws: QualityError.self) { try await shop.compare(path, from: .max) }
        #expect(throws: QualityError.self) { try StampedRecording([]) }
        #expect(throws: QualityError.self) { try QualityComparison.figures("nothing", frames: 1) }
    }
}
