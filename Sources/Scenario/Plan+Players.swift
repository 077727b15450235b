import NetemShell
import SimulationKernel
package import Viewer

/// The plan's adaptive viewers in the terms of the players.
extension Plan {
    /// Returns the assignment with an index into `socketLinks`; nil if the packet shell shapes the
    /// link.
    package func socketPlace(_ place: LinkAssignment?) -> LinkAssignment? {
        guard var place, links[place.link].socket != nil else { return nil }
        place.link = links[..<place.link].count { $0.socket != nil }
        return place
    }

    /// Time in milliseconds that a viewer waits for its first playlist. The publishers begin at the
    /// same time as the viewers, so a long segment may have to end first.
    private static let playlistPatience = 30_000.0

    /// Returns how an adaptive viewer plays; nil for other viewers.
    package func hlsSpec(_ viewer: ViewerPlan, url: String) -> HLSViewerSpec? {
        guard let adaptive = adaptive[viewer.group] else { return nil }
        var spec = HLSViewerSpec(index: viewer.index, url: url)
        spec.algorithm = adaptive.algorithm
        if let (place, publisher) = fixedRendition(of: viewer) {
            spec.algorithm = "fixed:\(place)"
            spec.rendition = namesRenditions ? publisher.streamKey : nil
        }
        spec.maximumBufferMilliseconds = Double(adaptive.buffer.nanoseconds) / 1e6
        spec.maximumHeight = adaptive.maximumHeight
        spec.targetLatencyMilliseconds = adaptive.latency.map { Double($0.nanoseconds) / 1e6 }
        spec.usesParts = adaptive.usesParts
        spec.abandons = adaptive.abandons
        spec.isProbe = viewer.isProbe
        spec.patienceMilliseconds = Self.playlistPatience
        spec.link = socketPlace(viewer.link)
        spec.localAddress = packetAddress(ofViewer: viewer.index)?.description
        return spec
    }

    /// Returns a fixed rendition and its index in its stream's ladder, ordered by nominal rate; nil
    /// for viewers that adapt.
    private func fixedRendition(
        of viewer: ViewerPlan
    ) -> (place: Int, publisher: PublisherPlan)? {
        guard viewer.rendition != "all" else { return nil }
        let ladder = publishers.filter { $0.stream == viewer.stream && !$0.isLadderSource }.sorted {
            ($0.bitrate?.bitsPerSecond ?? 0) < ($1.bitrate?.bitsPerSecond ?? 0)
        }
        return ladder.enumerated().first { $0.element.rendition == viewer.rendition }
            .map { ($0.offset, $0.element) }
    }
}
