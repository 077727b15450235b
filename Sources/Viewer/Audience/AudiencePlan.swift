package import SimulationKernel

/// Plan of an audience: the viewers, their join times and links, and which viewers are probes.
///
/// A plan is a pure function of its properties: equal plans have equal viewers.
package struct AudiencePlan: Sendable {
    /// A link that every viewer has for itself. The viewers begin at seeded offsets of its cycle.
    package struct Link: Sendable {
        package var link: ViewerLink
        /// Length of one cycle of the link's trace; 0 if the link does not change.
        package var cycleNanoseconds: Int64

        package init(_ link: ViewerLink, cycleNanoseconds: Int64) {
            self.link = link
            self.cycleNanoseconds = cycleNanoseconds
        }
    }

    /// Address of the streams; `{i}` becomes the viewer's number modulo `streams`.
    package var url: String
    /// Number of viewers, probes included.
    package var count: Int
    /// Number of probes among the viewers, at most `count`.
    package var probes: Int
    /// Number of streams over which `{i}` runs, at least 1.
    package var streams = 1
    package var joinsPerSecond = 200.0
    /// Time that is measured after the last join.
    package var seconds = 10
    package var link: Link?

    package init(url: String, count: Int, probes: Int) {
        self.url = url
        self.count = count
        self.probes = probes
    }

    /// Whether the address is that of an HLS playlist, whose viewers are adaptive.
    package static func isHLS(_ url: String) -> Bool {
        url.lowercased().prefix { $0 != "?" }.hasSuffix(".m3u8")
    }

    /// Numbers of the viewers that are probes. Probes sit evenly in the order of the joins.
    package var probeIndices: Set<Int> {
        Set((0..<probes).map { $0 * count / max(1, probes) })
    }

    /// The links that the viewers of the plan name by index.
    var links: [ViewerLink] { link.map { [$0.link] } ?? [] }

    /// Makes the viewers of RTMP or HTTP-FLV streams, probes included.
    package func streamViewers(mode: LoadReadMode) -> [ViewerSpec] {
        let transport: ViewerProtocol = url.lowercased().hasPrefix("http") ? .httpFLV : .rtmp
        let places = places
        return (0..<count).map { index in
            ViewerSpec(
                index: index, transport: transport, url: address(ofViewer: index),
                joinNanoseconds: joinNanoseconds(ofViewer: index), link: places[index],
                mode: mode)
        }
    }

    /// Makes the viewers of HLS, probes included.
    ///
    /// - Parameter player: a viewer whose player settings all viewers have.
    package func adaptiveViewers(like player: HLSViewerSpec) -> [HLSViewerSpec] {
        let probed = probeIndices
        let places = places
        return (0..<count).map { index in
            var spec = player
            spec.index = index
            spec.url = address(ofViewer: index)
            spec.joinNanoseconds = joinNanoseconds(ofViewer: index)
            spec.isProbe = probed.contains(index)
            spec.link = places[index]
            return spec
        }
    }

    /// The part of the run that counts: it begins one second after the last join.
    ///
    /// - Parameter startNanoseconds: start of the run on CLOCK_MONOTONIC.
    package func window(startNanoseconds: Int64) -> Window {
        let begin = startNanoseconds + joinNanoseconds(ofViewer: count) + 1_000_000_000
        return Window(
            startNanoseconds: begin, endNanoseconds: begin + Int64(seconds) * 1_000_000_000)
    }

    private func address(ofViewer index: Int) -> String {
        url.replacing("{i}", with: String(index % streams))
    }

    /// - Returns: the time from the run's start to the join.
    private func joinNanoseconds(ofViewer index: Int) -> Int64 {
        Int64(Double(index) / joinsPerSecond * 1e9)
    }

    /// The link assignment of each viewer, in the order of the viewers.
    private var places: [LinkAssignment?] {
        guard let link else { return Array(repeating: nil, count: count) }
        var random = SeededGenerator(seed: 1, entity: "view links")
        return (0..<count).map { _ in
            let offset = Int64(random.nextUnit() * Double(link.cycleNanoseconds))
            return LinkAssignment(link: 0, offsetNanoseconds: offset, seed: random.next())
        }
    }
}
