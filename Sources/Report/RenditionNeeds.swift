import Results
import Statistics

/// Table of the renditions that an audience uses and the cost of each, from renditions.csv alone.
struct RenditionNeeds {
    struct Rendition {
        var stream: String
        var name: String
        var nominal: Double?
        /// Share of the adaptive viewers' segments in the steady window.
        var share: Double?
        /// Whether anybody plays the rendition over RTMP or HTTP-FLV.
        var isSubscribed = false
        var rtmpKilobits: Double?
        var hlsKilobits: Double?
        var muxOverhead: Double?
        var delayP50: Double?
        var delayP99: Double?
        var encoderP50: Double?
        var encoderP99: Double?
        var cpu: Double?
        var ssim: Double?
        var psnr: Double?
        var stampsExpected: Int?
        var stampsFound: Int?
    }

    let renditions: [Rendition]

    init(_ rows: [RenditionRow]) {
        let named = rows.filter { !$0.stream.isEmpty && $0.rendition != "all" }
        let groups = Dictionary(grouping: named) { "\($0.stream)/\($0.rendition)" }
        renditions = groups.values.map { rows in
            func row(_ vantage: String, _ transports: [String]) -> RenditionRow? {
                transports.lazy.compactMap { transport in
                    rows.first { $0.vantage == vantage && $0.playProtocol == transport }
                }.first
            }
            let played = row("viewer", ["rtmp", "http-flv"])
            let wire = row("wire", ["rtmp", "http-flv", "all"])
            let encoder = rows.first { $0.stampsExpected != nil }
            return Rendition(
                stream: rows[0].stream, name: rows[0].rendition,
                nominal: rows.lazy.compactMap(\.nominalKilobits).first,
                share: row("viewer", ["hls"])?.viewerShare,
                isSubscribed: (played?.viewers ?? 0) > 0, rtmpKilobits: wire?.wireKilobits,
                hlsKilobits: row("wire", ["hls"])?.wireKilobits,
                muxOverhead: row("wire", ["hls"])?.muxOverhead,
                delayP50: played?.delayP50Milliseconds, delayP99: played?.delayP99Milliseconds,
                encoderP50: encoder?.encoderDelayP50Milliseconds,
                encoderP99: encoder?.encoderDelayP99Milliseconds,
                cpu: rows.lazy.compactMap(\.cpuSecondsPerMediaSecond).first,
                ssim: rows.lazy.compactMap(\.ssim).first,
                psnr: rows.lazy.compactMap(\.psnrDecibels).first,
                stampsExpected: encoder?.stampsExpected, stampsFound: encoder?.stampsFound)
        }.sorted {
            ($0.stream, -($0.nominal ?? 0), $0.name) < ($1.stream, -($1.nominal ?? 0), $1.name)
        }
    }

    /// Text of the table; empty if there are neither adaptive viewers nor encoders.
    var text: String {
        guard
            renditions.contains(where: {
                $0.share != nil || $0.cpu != nil || $0.stampsExpected != nil || $0.ssim != nil
            })
        else { return "" }
        var table = TextTable(
            header: [
                "rendition", "share", "RTMP kbps", "HLS kbps", "mux", "p50 ms", "p99 ms",
                "encoder p50", "p99 ms", "CPU s/s", "stamps found", "SSIM", "PSNR dB",
            ], leftColumns: [0])
        for rendition in renditions {
            let stamps = rendition.stampsExpected.flatMap { expected in
                rendition.stampsFound.map { expected > 0 ? Double($0) / Double(expected) : 0 }
            }
            table.rows.append([
                "\(rendition.stream)_\(rendition.name)", Figure.percent(rendition.share),
                Figure.number(rendition.rtmpKilobits), Figure.number(rendition.hlsKilobits),
                rendition.muxOverhead.map { Figure.number($0 * 100, digits: 1) + " %" } ?? "–",
                Figure.number(rendition.delayP50, digits: 1),
                Figure.number(rendition.delayP99, digits: 1),
                Figure.number(rendition.encoderP50, digits: 1),
                Figure.number(rendition.encoderP99, digits: 1),
                Figure.number(rendition.cpu, digits: 3),
                Figure.percent(stamps), Figure.number(rendition.ssim, digits: 4),
                rendition.ssim == 1 && rendition.psnr == nil
                    ? "∞" : Figure.number(rendition.psnr, digits: 2),
            ])
        }
        return
            "RENDITIONS THIS AUDIENCE NEEDS (share of the adaptive viewers' segments; kbps on the "
            + "wire, one copy)\n" + table.text + reading
    }

    private var reading: String {
        let shared = renditions.filter { $0.share != nil }
        guard !shared.isEmpty else {
            return "  no adaptive viewers: what an audience needs is not known\n"
        }
        let unused = shared.filter { $0.share == 0 && !$0.isSubscribed }
        let names = unused.map { "\($0.stream)_\($0.name)" }.joined(separator: ", ")
        let saved = unused.compactMap(\.cpu).reduce(0, +)
        let cost =
            saved > 0
            ? "; without \(unused.count > 1 ? "them" : "it") the encoders save "
                + "\(Figure.number(saved, digits: 3)) cores" : ""
        return
            (unused.isEmpty
            ? "  every rendition was used\n"
            : "  nobody asked for \(names) in the steady window\(cost)\n")
            + "  the best ladder for an audience: millrace ladder (scenarios/ladder.yml)\n"
    }
}

extension RenditionRow {
    /// A rendition that no playlist lists belongs to no stream.
    var label: String { stream.isEmpty ? rendition : "\(stream)_\(rendition)" }
}
