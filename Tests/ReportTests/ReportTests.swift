import Foundation
import Results
import Testing

@testable import Report

@Suite struct ReportTests {
    static func results() -> RunResults {
        var manifest = Manifest()
        manifest.scenario = "quick <start>"
        manifest.runID = "20261121T000000Z-abcdef"
        manifest.stack = "embedded"
        manifest.window.startSeconds = 5
        manifest.window.endSeconds = 25
        manifest.host = .current()
        var summary = Summary()
        summary.outcome = .failed
        summary.viewersPlanned = 40
        summary.viewersJoined = 40
        summary.notes = ["capture was not permitted"]
        summary.thresholds = [
            ThresholdResult(
                metric: "delay_ms", expression: "p(99)<200", observed: 12.3, limit: 200,
                passed: true),
            ThresholdResult(
                metric: "frames_missing", expression: "count==0", observed: nil, limit: 0,
                passed: false),
        ]
        summary.reconciliation = [
            Reconciliation(
                stream: "live", rendition: "720p", viewerBytes: 1_002_000, wireBytes: 1_000_000)
        ]
        var results = RunResults(manifest: manifest, summary: summary)
        for (i, name) in ["720p", "480p"].enumerated() {
            var row = RenditionRow()
            (row.stream, row.rendition, row.vantage) = ("live", name, "viewer")
            row.payloadKilobits = 2628
            results.renditions.append(row)
            for second in 0..<27 {
                var wire = WireRow()
                wire.timeSeconds = Double(second)
                (wire.stream, wire.rendition, wire.direction) = ("live", name, "out")
                wire.wireBytes = 3_000_000 / (i + 1) + second * 1000
                results.wire.append(wire)
                var process = ProcessRow()
                process.timeSeconds = Double(second)
                process.role = i == 0 ? "server" : "viewers"
                process.cpuPercent = Double(20 * (i + 1) + second % 5)
                results.processes.append(process)
            }
            for percentile in [0.0, 50, 90, 99, 99.9, 100] {
                var delay = DelayRow()
                (delay.stream, delay.rendition, delay.vantage) = ("live", name, "viewer")
                delay.correction = "corrected"
                delay.percentile = percentile
                delay.delayMilliseconds = 1 + percentile / 10
                results.delay.append(delay)
            }
        }
        return results
    }

    @Test func textPutsThresholdsFirst() throws {
        let text = SummaryReport(Self.results()).text
        let thresholds = try #require(text.range(of: "THRESHOLDS"))
        let renditions = try #require(text.range(of: "RENDITIONS"))
        #expect(thresholds.lowerBound < renditions.lowerBound)
        for part in ["FAILED", "✓", "✗", "no data", "live_720p", "0.200 %", "not permitted"] {
            #expect(text.contains(part), "lacks \(part)")
        }
    }

    /// Without a threshold that was missed the verdict says why the run ended.
    @Test func failedSaysWhy() {
        var results = Self.results()
        #expect(
            SummaryReport(results).verdictLine.hasSuffix("<start>: a threshold was not met"))
        results.summary.earlyEnd = "the server ended in mid-run: it exited with status 1"
        #expect(
            SummaryReport(results).verdictLine.hasSuffix(
                "<start>: the server ended in mid-run: it exited with status 1"))
    }

    /// In every report, though no threshold was missed.
    @Test func everyReportSaysWhyTheRunEnded() {
        var results = Self.results()
        results.summary.thresholds = []
        results.summary.earlyEnd = "the server ended"
        #expect(HTMLReport(results).text.contains("<li>the server ended</li>"))
        let junit = JUnitReport(results).text
        #expect(junit.contains("failures=\"1\" errors=\"0\""))
        #expect(junit.contains("<failure message=\"the server ended\"/>"))
    }

    /// What XML may not hold (XML 1.0, 2.2) stands in no report, whatever a server has said.
    @Test func reportsAreXMLWhateverAServerSays() {
        var results = Self.results()
        results.summary.earlyEnd = "a\u{1B}[2J\u{FFFF}\u{FFFE}<b>"
        for text in [JUnitReport(results).text, HTMLReport(results).text] {
            #expect(text.contains("a\u{FFFD}[2J\u{FFFD}\u{FFFD}&lt;b&gt;"))
        }
    }

    /// A run that was cut off has judged nothing.
    @Test func interruptedSkipsThresholds() {
        var results = Self.results()
        results.summary.outcome = .interrupted
        let text = SummaryReport(results).text
        #expect(text.contains("skipped"))
        #expect(!text.contains("✓") && !text.contains("✗"))
        #expect(!HTMLReport(results).text.contains("✓"))
    }

    @Test func jsonIsJSON() throws {
        let text = try JSONReport(Self.results()).text()
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        let renditions = try #require(object["renditions"] as? [[String: Any]])
        #expect(renditions.first?["payload_kbps"] as? Double == 2628)
    }

    @Test func junitCountsFailures() {
        var results = Self.results()
        let failed = JUnitReport(results).text
        #expect(failed.contains("tests=\"3\" failures=\"1\" errors=\"0\""))
        #expect(failed.contains("quick &lt;start&gt;"))
        results.manifest.validity.valid = false
        results.manifest.validity.reasons = ["steal 7 %"]
        #expect(JUnitReport(results).text.contains("failures=\"0\" errors=\"1\" skipped=\"2\""))
    }

    @Test func pageLoadsNothing() throws {
        let page = HTMLReport(Self.results()).text
        for reference in ["http:", "https:", "src=", "href=", "@import", "url(", "<script"] {
            #expect(!page.contains(reference), "refers to \(reference)")
        }
        #expect(page.components(separatedBy: "<svg").count == 4)
        #expect(!page.contains("nan") && !page.contains("inf"))
        if let path = ProcessInfo.processInfo.environment["MILLRACE_REPORT_SAMPLE"] {
            try page.write(toFile: path, atomically: true, encoding: .utf8)
        }
    }

    /// The page has what the text has of adaptive viewers, and idle time is no stall's fault.
    @Test func adaptiveViewersInTextAndPage() {
        var results = Self.results()
        var played = ViewerRow()
        (played.group, played.playProtocol, played.algorithm) = (0, "hls", "bola-e")
        (played.playSeconds, played.stalledSeconds, played.sessionSeconds) = (9, 1, 30)
        var neverBegan = played
        (neverBegan.playSeconds, neverBegan.stalledSeconds) = (0, 0)
        results.viewers = [played, neverBegan]
        var used = RenditionRow()
        (used.stream, used.rendition, used.vantage) = ("live", "720p", "viewer")
        (used.playProtocol, used.viewerShare) = ("hls", 1)
        results.renditions.append(used)
        results.summary.capacity = [CapacityFigure(via: "origin")]
        let group = AdaptiveReport(results.viewers).groups[0]
        #expect(group.stallRatio == 0.1)
        let text = SummaryReport(results).text
        let page = HTMLReport(results).text
        for word in ["bola-e", "millrace ladder (scenarios/ladder.yml)", "via origin: held with"] {
            #expect(text.contains(word) && page.contains(word), "lacks \(word)")
        }
        for heading in ["Adaptive viewers", "Renditions this audience needs", "Capacity"] {
            #expect(page.contains("<h2>\(heading)</h2>"))
            #expect(!HTMLReport(Self.results()).text.contains("<h2>\(heading)</h2>"))
        }
    }

    @Test func emptyResultsStillReport() {
        let empty = RunResults(manifest: Manifest(), summary: Summary())
        #expect(SummaryReport(empty).text.contains("none set"))
        #expect(!HTMLReport(empty).text.contains("<svg"))
    }

    /// What the audience of an encoded ladder used, and what each rendition cost.
    @Test func renditionsNeeded() {
        var results = ReportTests.results()
        #expect(!SummaryReport(results).text.contains("RENDITIONS THIS AUDIENCE NEEDS"))
        var rows: [RenditionRow] = []
        for (name, nominal, share) in [
            ("720p", 2628.0, 0.75), ("480p", 1128, 0.25), ("240p", 264, 0),
        ] {
            var hls = RenditionRow()
            (hls.stream, hls.rendition, hls.vantage, hls.playProtocol) = (
                "cam", name, "viewer", "hls"
            )
            hls.nominalKilobits = nominal
            hls.viewerShare = share
            hls.cpuSecondsPerMediaSecond = nominal / 10_000
            var wire = hls
            (wire.vantage, wire.playProtocol, wire.viewerShare) = ("wire", "rtmp", nil)
            wire.wireKilobits = nominal * 1.02
            (wire.stampsExpected, wire.stampsFound) = (1800, 1799)
            (wire.encoderDelayP50Milliseconds, wire.encoderDelayP99Milliseconds) = (61.5, 122.5)
            var packaged = hls
            (packaged.vantage, packaged.viewerShare) = ("wire", nil)
            (packaged.wireKilobits, packaged.muxOverhead) = (nominal * 1.03, 0.012)
            rows += [hls, wire, packaged]
        }
        var nobody = RenditionRow()
        (nobody.rendition, nobody.vantage, nobody.playProtocol) = ("unattributed", "wire", "hls")
        results.renditions = rows + [nobody]
        let text = SummaryReport(results).text
        #expect(text.contains("RENDITIONS THIS AUDIENCE NEEDS"))
        let lines = text.split(separator: "\n").map(String.init)
        for part in ["75.0 %", "2680.6", "2706.8", "1.2 %", "61.5", "122.5", "0.263", "99.9 %"] {
            #expect(lines.contains { $0.contains("cam_720p") && $0.contains(part) }, "\(part)")
        }
        let unused = "nobody asked for cam_240p in the steady window"
        #expect(text.contains(unused + "; without it the encoders save 0.026 cores"))
        // Who has it over RTMP needs it.
        var subscribed = rows[6]
        #expect(subscribed.rendition == "240p" && subscribed.vantage == "viewer")
        (subscribed.playProtocol, subscribed.viewers, subscribed.viewerShare) = ("rtmp", 2, nil)
        results.renditions.append(subscribed)
        #expect(!SummaryReport(results).text.contains("nobody asked for"))
        #expect(text.contains("millrace ladder"))
        #expect(lines.contains { $0.hasPrefix("  unattributed") })
    }
}

@Suite struct EdgeReportTests {
    @Test func edgesAreInEveryReport() {
        var results = ReportTests.results()
        #expect(!SummaryReport(results).text.contains("EDGES"))
        var row = EdgeRow()
        (row.edge, row.kind, row.requests, row.originBytes) = (
            "edge-<0>", "segment", 248, 7_085_449
        )
        results.edges = [row]
        var summary = EdgeSummary()
        (summary.edges, summary.distinctSegments, summary.distinctBytes) = (2, 25, 1000)
        (summary.wanBytes, summary.originRequests) = (2000, 50)
        (summary.edgeFetchMilliseconds, summary.originFetchMilliseconds) = (120, 160)
        summary.fetchSavedMilliseconds = 40
        results.summary.edges = summary
        var figure = CapacityFigure(via: "origin")
        figure.sustainedViewers = 37
        results.summary.capacity = [figure]
        let text = SummaryReport(results).text
        for words in [
            "edge-<0>", "7.1 MB", "100.0 % of segments × edges", "2.00 origin requests a segment",
            "40.0 ms saved", "via origin: held with 37 viewers, and never broke",
        ] { #expect(text.contains(words), "\(words) in \(text)") }
        let page = HTMLReport(results).text
        #expect(page.contains("edge-&lt;0&gt;") && page.contains("40.0 ms saved"))
        // Written and read again.
        #expect(EdgeRow.read(csv: EdgeRow.csv([row])) == [row])
    }
}
