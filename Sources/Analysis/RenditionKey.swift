import Results
import Scenario
import SimulationKernel
import Statistics

/// A rendition of a stream. Rows from all vantage points are made under it.
struct RenditionKey: Hashable {
    var stream: String
    var rendition: String

    init(stream: String, rendition: String) {
        (self.stream, self.rendition) = (stream, rendition)
    }

    init(_ publisher: PublisherPlan) {
        self.init(stream: publisher.stream, rendition: publisher.rendition)
    }

    init(_ row: RenditionRow) { self.init(stream: row.stream, rendition: row.rendition) }
}

enum MeanRate {
    /// Returns the bit rate in kbit/s of `bytes` over a number of viewer-seconds; nil if that
    /// number is 0.
    static func kilobits(_ bytes: Int, seconds: Double) -> Double? {
        seconds > 0 ? Double(bytes) * 8 / 1000 / seconds : nil
    }
}

extension RenditionRow {
    /// Sets the percentiles of a delay.
    mutating func set(_ delay: DelayHistogram) {
        delayP50Milliseconds = delay.milliseconds(atPercentile: 50)
        delayP90Milliseconds = delay.milliseconds(atPercentile: 90)
        delayP99Milliseconds = delay.milliseconds(atPercentile: 99)
        delayMeanMilliseconds = delay.meanMilliseconds
        delayMaxMilliseconds = delay.maximumMilliseconds
    }
}

extension TrialRecord {
    /// Returns a row of renditions.csv with the facts that are the same from every vantage point.
    func row(
        _ key: RenditionKey, vantage: String, playProtocol: String, encoders: EncoderFigures
    ) -> RenditionRow {
        var row = RenditionRow()
        row.runID = runID
        (row.stream, row.rendition) = (key.stream, key.rendition)
        (row.vantage, row.playProtocol) = (vantage, playProtocol)
        row.nominalKilobits =
            plan.publishers.first { RenditionKey($0) == key }?.bitrate?.kilobitsPerSecond
        encoders.fill(&row)
        return row
    }

    /// Returns one distribution as rows of a spectrum; no rows if the distribution is empty.
    func delayRows(
        _ delay: DelayHistogram, _ publisher: PublisherPlan, vantage: String, hop: String,
        playProtocol: String, correction: String
    ) -> [DelayRow] {
        guard delay.count + delay.negativeCount > 0 else { return [] }
        let percentiles: [Double] = [
            0, 1, 5, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 99.99, 100,
        ]
        return percentiles.map { percentile in
            var row = DelayRow()
            row.runID = runID
            row.stream = publisher.stream
            row.rendition = publisher.rendition
            row.vantage = vantage
            row.hop = hop
            row.playProtocol = playProtocol
            row.correction = correction
            row.percentile = percentile
            row.delayMilliseconds = delay.milliseconds(atPercentile: percentile)
            row.count = delay.count
            row.negativeCount = delay.negativeCount
            return row
        }
    }
}
