import Processes
import Testing

@testable import Viewer
@testable import Workers

@Suite struct MessageAssemblerTests {
    private static func split(_ lines: [UInt8]) -> [[UInt8]] {
        lines.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast().map(Array.init)
    }

    /// Every length around the piece's, three messages one after the other.
    @Test(arguments: 1...13) func everyLength(length: Int) {
        let message = Array("{123456789abc".utf8.prefix(length))
        var assembler = MessageAssembler()
        for _ in 0..<3 {
            let lines = Self.split(MessageAssembler.lines(of: message, pieceBytes: 4))
            #expect(lines.allSatisfy { $0.count <= 5 })
            for line in lines.dropLast() { #expect(assembler.receive(line) == .partial) }
            #expect(assembler.receive(lines.last!) == .message(message))
        }
    }

    @Test func boundsWhatItKeeps() {
        var assembler = MessageAssembler(limit: 6)
        #expect(assembler.receive(Array("{12345".utf8)) == .message(Array("{12345".utf8)))
        #expect(assembler.receive(Array("{123456".utf8)) == .tooLong)
        #expect(assembler.receive(Array("+{123".utf8)) == .partial)
        #expect(assembler.receive(Array("=4567".utf8)) == .tooLong)
        #expect(assembler.receive(Array("={}".utf8)) == .message(Array("{}".utf8)))
    }

    /// More frames than ever fitted a line go through the pipe's format and come out the same.
    @Test func probeFramesFitAnyLine() throws {
        var viewer = ProbeViewerReport(index: 0, localPort: 1)
        for i in 0..<200_000 {
            viewer.frames.append(
                ProbeFrame(
                    frameNumber: UInt64(i), intendedNanoseconds: 1_000_000_000_000_000 + Int64(i),
                    latenessMicroseconds: 123_456,
                    arrivalNanoseconds: 1_000_000_000_000_000 + Int64(i)))
        }
        typealias Report = WorkerReport<Empty, Empty, ProbeViewerReport>
        let bytes = try WorkerLine.encode(Report.final(viewer), name: "t")
        #expect(bytes.count > 4 * MessageAssembler.pieceBytes)
        var assembler = MessageAssembler()
        var frames: [ProbeFrame]?
        for line in Self.split(bytes) {
            #expect(line.count <= LineReader.maximumLineBytes / 4)
            guard case .message(let message) = assembler.receive(line) else { continue }
            let report: Report? = WorkerLine.decode(message)
            if case .final(let viewer)? = report { frames = viewer.frames }
        }
        #expect(frames == viewer.frames)
    }
}
