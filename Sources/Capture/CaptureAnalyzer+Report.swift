extension CaptureAnalyzer {
    /// Reports the figures collected so far; streams are in the order of their names.
    public func report() -> CaptureReport {
        var report = CaptureReport()
        report.capture = summary
        report.capture.packets = sorter.packets + plainPackets
        report.capture.understoodPackets = sorter.understoodPackets + plainPackets
        report.capture.duplicates = sorter.duplicates
        report.capture.ipFragments = sorter.fragmentPackets
        let passedOver = sorter.passedOver
        report.capture.passedOver = passedOver.rows
        report.capture.malformedPackets =
            passedOver.count(of: .malformed) + passedOver.count(of: .cutHeaders)
        report.capture.otherPackets =
            sorter.packets - sorter.understoodPackets - report.capture.malformedPackets
        report.capture.copies = sorter.copies.report
        let unread = http.unreadBodies.merging(edgeHTTP.unreadBodies, uniquingKeysWith: +)
        report.capture.unreadBodies = unread.map { UnreadBodies(coding: $0.key, bodies: $0.value) }
            .sorted { $0.coding < $1.coding }
        report.capture.rtmpFlows = streams.rtmpFlows
        report.capture.httpFLVFlows = streams.httpFLVFlows
        var ports = retired
        for flow in flows.values {
            if flow.isTranslation { report.capture.flows -= 1 }
            Self.add(flow, to: &ports)
            report.capture.outOfOrderSegments += flow.outOfOrderSegments
        }
        report.capture.ports = ports.values.sorted { $0.port < $1.port }
        report.capture.undissectedFlows = ports.values.reduce(0) { $0 + $1.undissectedFlows }
        report.capture.cutFlows = ports.values.reduce(0) { $0 + $1.cutFlows }
        report.capture.encryptedFlows = ports.values.reduce(0) { $0 + $1.encryptedFlows }
        let known = streams.streams.values.filter(\.isStream).sorted {
            ($0.app, $0.name) < ($1.app, $1.name)
        }
        let reporter = StreamReporter(window: options.window, frameAgent: options.frameAgent)
        for stream in known { report.streams.append(reporter.report(stream)) }
        report.http = http.rows
        report.edgeHTTP = edgeHTTP.rows
        return report
    }
}
