/// HLS groups that differ only in their path to the media, by their indices in the scenario.
package struct PairedGroups: Codable, Sendable, Hashable {
    package var edge: [Int] = []
    package var origin: [Int] = []
}

extension TrialScenario {
    /// Groups whose fetch times can be compared.
    package var pairedGroups: [PairedGroups] {
        struct Kind: Hashable {
            var stream: String?
            var rendition: String?
            var adaptive: ViewerGroup.Adaptive
            var link: GroupLink?
        }
        var order: [Kind] = []
        var pairs: [Kind: PairedGroups] = [:]
        for (place, group) in viewers.enumerated() {
            guard let adaptive = group.adaptive else { continue }
            var link = group.link
            // The links of groups at the origin contain the WAN already.
            if group.via != .origin, let wan = stack.edges?.wan {
                guard let across = try? GroupLink.across(wan, link) else { continue }
                link = across
            }
            let kind = Kind(
                stream: group.stream, rendition: group.rendition, adaptive: adaptive, link: link)
            if pairs[kind] == nil { order.append(kind) }
            if group.via == .origin {
                pairs[kind, default: .init()].origin.append(place)
            } else {
                pairs[kind, default: .init()].edge.append(place)
            }
        }
        return order.compactMap { pairs[$0] }.filter { !$0.edge.isEmpty && !$0.origin.isEmpty }
    }

    /// Whether viewers at edges may fetch segments in parts.
    var hasPartsThroughEdges: Bool {
        stack.hls?.part != nil
            && viewers.contains { $0.via != .origin && $0.adaptive?.usesParts ?? false }
    }
}
