package import ABR
import Foundation

/// Pensieve's test over a set of traces, as CSV.
package enum PensieveCompatibility {
    /// Bit rates of Pensieve's test video in kbit/s.
    package static let bitrates: [Double] = [300, 750, 1200, 1850, 2850, 4300]

    /// Returns one row for each algorithm and trace.
    /// - Parameter sizes: Segment sizes in bytes, `sizes[rendition][segment]`.
    package static func csv(
        sizes: [[Double]], traces: [SabreCompatibility.Named<[PensieveSample]>]
    ) -> String {
        var text =
            "algorithm,trace,chunks,qoe_lin_sum_48,qoe_lin_sum_skip_first,mean_bitrate_kbps,"
            + "rebuffer_s,n_switches,levels\n"
        for algorithm in PensieveSession.Algorithm.allCases {
            for trace in traces {
                var session = PensieveSession(
                    bitrates: bitrates, sizes: sizes, trace: trace.value, algorithm: algorithm)
                let result = session.run()
                let mean =
                    result.renditions.reduce(0) { $0 + bitrates[$1] }
                    / Double(result.renditions.count)
                text +=
                    [
                        algorithm.rawValue, trace.name, String(result.renditions.count),
                        String(format: "%.9f", result.qoe),
                        String(format: "%.9f", result.qoeWithoutFirst),
                        String(format: "%.3f", mean),
                        String(format: "%.9f", result.rebuffer), String(result.switches),
                        result.renditions.map(String.init).joined(separator: " "),
                    ].joined(separator: ",") + "\n"
            }
        }
        return text
    }
}
