import Netem
import Testing

@testable import ABR

@Suite struct TitleReaderTests {
    private static func read(_ text: String, file: String = "folder/film.json") throws -> Title {
        try TitleReader.read(Array(text.utf8), file: file)
    }

    @Test func json() throws {
        let title = try Self.read(
            """
            {"segment_duration_ms": 2000, "bitrates_kbps": [100, 200],
             "segment_sizes_bits": [[200000, 400000], [1, 2]], "heights": [240, 360],
             "qualities": [20, 40.5]}
            """)
        #expect(title.name == "film")
        #expect(title.segmentDuration == 2000)
        #expect(title.bitrates == [100, 200])
        #expect(title.segmentCount == 2)
        #expect(title.size(segment: 1, rendition: 1) == 2)
        #expect(title.heights == [240, 360])
        #expect(title.qualities == [20, 40.5])
    }

    @Test func csv() throws {
        let title = try Self.read(
            """
            # A title.
            segment_duration_ms,4000
            bitrates_kbps,264,878
            1056000,3512000
            1000000,3000000

            """, file: "t.csv")
        #expect(title.bitrates == [264, 878])
        #expect(title.segmentCount == 2)
        #expect(title.size(segment: 1, rendition: 0) == 1_000_000)
    }

    @Test(arguments: [
        // Each with the line at fault and a word of the reason.
        ("{\"segment_duration_ms\": 4000,\n\"bitrate_kbps\": [1]}", 2, "bitrates_kbps"),
        (
            "{\"segment_duration_ms\": 4000,\n\"bitrates_kbps\": [1],\n\"segment_sizes_bits\": [[1],\n[-4]]}",
            4, "positive"
        ),
        (
            "{\"segment_duration_ms\": 4000, \"bitrates_kbps\": [1, 2],\n\"segment_sizes_bits\": [[1]]}",
            2, "one per rendition"
        ),
        ("{\"segment_duration_ms\": 4000, \"segment_sizes_bits\": [[1]]}", 0, "bitrates_kbps"),
        (
            "{\"segment_duration_ms\": 0, \"bitrates_kbps\": [1], \"segment_sizes_bits\": [[1]]}",
            0,
            "duration"
        ),
        (
            "{\"segment_duration_ms\": 4000, \"bitrates_kbps\": [2, 1], \"segment_sizes_bits\": [[1, 2]]}",
            0, "ascend"
        ),
        ("{\"segment_duration_ms\": NaN}", 1, ""),
        ("{\"segment_duration_ms\": 4000", 1, ""),
        ("", 0, ""),
    ]) func faults(text: String, line: Int, reason: String) throws {
        let error = #expect(throws: TraceError.self) { try Self.read(text) }
        #expect(error?.line == line, "\(error?.description ?? "")")
        #expect(error?.file == "folder/film.json")
        #expect(error?.message.contains(reason) == true, "\(error?.description ?? "")")
    }

    @Test(arguments: [
        ("1000,2000\n", 1, "begins"), ("segment_duration_ms,x\n", 1, "number"),
        ("segment_duration_ms,4000\nbitrates_kbps,1,2\n5,6\n7\n", 4, "one per rendition"),
        ("segment_duration_ms,4000\nbitrates_kbps,1,2\n5,nan\n", 3, "finite"),
        ("segment_duration_ms,4000\nbitrates_kbps,1,2\n", 0, "at least one segment"),
        ("segment_duration_ms,1e-300\nbitrates_kbps,1,2\n5,6\n", 0, "1 ms"),
        ("segment_duration_ms,4000\nbitrates_kbps,1,2e9\n5,6\n", 0, "up to 1e9"),
        ("segment_duration_ms,4000\nbitrates_kbps,1,2\n5,6e300\n", 3, "up to 1e12"),
    ]) func csvFaults(text: String, line: Int, reason: String) throws {
        let error = #expect(throws: TraceError.self) { try Self.read(text, file: "t.csv") }
        #expect(error?.line == line, "\(error?.description ?? "")")
        #expect(error?.message.contains(reason) == true, "\(error?.description ?? "")")
    }

    /// The mean of generated complexities is 1, and all renditions of a segment share one.
    @Test func generatedTitle() throws {
        let title = try Ladder.edge.title(
            segmentDuration: 4000, segmentCount: 500, variation: 0.3, seed: 7)
        for rendition in 0..<4 {
            let sum = (0..<500).reduce(0) { $0 + title.size(segment: $1, rendition: rendition) }
            #expect(abs(sum / (500 * 4000) / title.bitrates[rendition] - 1) < 1e-6)
        }
        let ratios = (0..<500).map {
            title.size(segment: $0, rendition: 3) / title.size(segment: $0, rendition: 0)
        }
        #expect(ratios.allSatisfy { abs($0 - 2628.0 / 264) < 1e-4 })
        let same = try Ladder.edge.title(
            segmentDuration: 4000, segmentCount: 500, variation: 0.3, seed: 7)
        #expect(
            (0..<500).allSatisfy {
                same.size(segment: $0, rendition: 1) == title.size(segment: $0, rendition: 1)
            })
    }
}
