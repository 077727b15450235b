import ABR
import ArgumentParser
import Foundation
import Harness

struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Adaptive players in virtual time.")
    @Option var compat = "sabre"
    @Option var traces: String
    @Option var titles: String
    @Option var buffers = "25,12"
    @Option var csv: String
    struct T: Decodable {
        var segment_duration_ms: Double; var bitrates_kbps: [Double];
        var segment_sizes_bits: [[Double]]
    }
    struct P: Decodable {
        var duration_ms: Double; var bandwidth_kbps: Double; var latency_ms: Double
    }

    func run() throws {
        func files(_ d: String) -> [String] {
            try! FileManager.default.contentsOfDirectory(atPath: d).filter { $0.hasSuffix(".json") }
                .sorted()
        }
        if compat == "pensieve" {
            let sizes = try (0..<6).map {
                try String(contentsOfFile: titles + "/video_size_\($0)", encoding: .utf8).split(
                    separator: "\n"
                ).map { Double($0)! }
            }
            let tr = try FileManager.default.contentsOfDirectory(atPath: traces).sorted().map { f in
                SabreCompatibility.Named(
                    name: f,
                    value: try String(contentsOfFile: traces + "/" + f, encoding: .utf8).split(
                        separator: "\n"
                    ).map { l in
                        let p = l.split(whereSeparator: { $0 == " " || $0 == "\t" });
                        return PensieveSample(time: Double(p[0])!, bandwidth: Double(p[1])!)
                    })
            }
            try PensieveCompatibility.csv(sizes: sizes, traces: tr).write(
                toFile: csv, atomically: true, encoding: .utf8)
            return
        }
        let ts = try files(titles).map { f -> Title in
            let t = try JSONDecoder().decode(
                T.self, from: Data(contentsOf: URL(fileURLWithPath: titles + "/" + f)))
            return try Title(
                name: String(f.dropLast(5)), segmentDuration: t.segment_duration_ms,
                bitrates: t.bitrates_kbps, sizes: t.segment_sizes_bits)
        }
        let ns = try files(traces).map { f in
            let p = try JSONDecoder().decode(
                [P].self, from: Data(contentsOf: URL(fileURLWithPath: traces + "/" + f)))
            return SabreCompatibility.Named(
                name: String(f.dropLast(5)),
                value: p.map {
                    SabrePeriod(
                        duration: $0.duration_ms, bandwidth: $0.bandwidth_kbps,
                        latency: $0.latency_ms)
                })
        }
        let text = SabreCompatibility.csv(
            titles: ts, traces: ns,
            buffersSeconds: buffers.split(separator: ",").map { Double($0)! })
        try text.write(toFile: csv, atomically: true, encoding: .utf8)
    }
}
struct BenchSimulate: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "simulate", abstract: "x")
    func run() throws { try SimulateBench.shared(); try SimulateBench.solo() }
}
