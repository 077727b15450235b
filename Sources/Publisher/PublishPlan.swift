import Media

/// The streams that one command publishes, with the address, source and phase of each.
package struct PublishPlan: Sendable {
    /// One source of the streams of the plan.
    package struct Source: Sendable {
        /// Text at the end of the stream's name.
        package var suffix: String
        package var spec: SourceSpec

        package init(_ spec: SourceSpec, suffix: String = "") {
            self.spec = spec
            self.suffix = suffix
        }
    }

    /// Address `rtmp[s]://host[:port]/app/stream[?query]`; `{i}` becomes the number from 0.
    package var url: String
    /// Number of values over which `{i}` runs.
    package var count: Int
    /// Sources of each number; every source is a stream of its own.
    package var sources: [Source]

    package init(url: String, count: Int, sources: [Source]) {
        self.url = url
        self.count = count
        self.sources = sources
    }

    /// The four renditions of the edge ladder, named `<stream>_720p` and so on.
    ///
    /// - Parameter startTimestamp: first timestamp in milliseconds.
    package static func edgeLadder(startTimestamp: UInt32) -> [Source] {
        SyntheticSpec.edgeLadder.map { name, spec in
            var spec = spec
            spec.startTimestamp = startTimestamp
            return Source(.synthetic(spec), suffix: "_\(name)")
        }
    }

    package var specs: [PublishSpec] {
        (0..<count).flatMap { number in
            sources.enumerated().map { place, source in
                let stream = number * sources.count + place
                return PublishSpec(
                    url: address(ofNumber: number, suffix: source.suffix), streamID: UInt32(stream),
                    source: source.spec, phaseNanoseconds: PublishSpec.phase(ofStream: stream))
            }
        }
    }

    /// The suffix belongs to the name, which ends before the query.
    private func address(ofNumber number: Int, suffix: String) -> String {
        let parts = url.replacing("{i}", with: String(number)).split(
            separator: "?", maxSplits: 1)
        let query = parts.count > 1 ? "?\(parts[1])" : ""
        return "\(parts.first ?? "")\(suffix)\(query)"
    }
}
