import Sockets
import Testing

@testable import Scenario

/// What every mapping of the language keeps to, whatever its keys.
@Suite struct FieldTests {
    /// The defaults of a mapping, written as a file would have them, are read as the same defaults.
    private static func expectRoundTrip<Mapping: ScenarioMapping & Equatable>(
        _ type: Mapping.Type, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var reader = ScenarioReader(file: "defaults")
        let read = Mapping(Mapping().resolved, at: "", &reader)
        #expect(read == Mapping(), sourceLocation: sourceLocation)
        #expect(reader.diagnostics.isEmpty, sourceLocation: sourceLocation)
    }

    @Test func defaultsSurviveWritingAndReading() {
        Self.expectRoundTrip(StackSettings.self)
        Self.expectRoundTrip(ServerStart.self)
        Self.expectRoundTrip(ServerReadiness.self)
        Self.expectRoundTrip(ServerAccounting.self)
        Self.expectRoundTrip(TLSTrust.self)
        Self.expectRoundTrip(HLSSettings.self)
        Self.expectRoundTrip(EdgeSettings.self)
        Self.expectRoundTrip(EdgeSettings.WAN.self)
        Self.expectRoundTrip(CaptureSettings.self)
        Self.expectRoundTrip(CPUAssignment.self)
        Self.expectRoundTrip(ProcessCounts.self)
        Self.expectRoundTrip(ValidityLimits.self)
        Self.expectRoundTrip(SearchSettings.self)
        Self.expectRoundTrip(SearchGoalSettings.self)
        Self.expectRoundTrip(SearchSweep.self)
        Self.expectRoundTrip(GeneratedSource.self)
        Self.expectRoundTrip(ClipSource.self)
        Self.expectRoundTrip(EncodedLadder.self)
        Self.expectRoundTrip(EncodedRendition.self)
        Self.expectRoundTrip(ViewerGroup.self)
        Self.expectRoundTrip(ViewerGroup.Arrival.self)
        Self.expectRoundTrip(ViewerGroup.Adaptive.self)
    }

    private static func expectDistinctKeys(_ spec: ObjectSpec, at path: String) {
        let keys = spec.fields.map(\.key)
        #expect(Set(keys).count == keys.count, "a key of \(path) stands twice")
        for field in spec.fields { expectDistinctKeys(field.value, at: "\(path).\(field.key)") }
    }

    private static func expectDistinctKeys(_ value: ValueSpec, at path: String) {
        switch value {
        case .object(let spec): expectDistinctKeys(spec, at: path)
        case .list(let item, _), .map(let item), .table(_, let item):
            expectDistinctKeys(item, at: path)
        case .either(let kinds): for kind in kinds { expectDistinctKeys(kind, at: path) }
        case .constant, .text, .integer, .boolean, .quantity, .choice: break
        }
    }

    @Test func keysAreDistinct() {
        Self.expectDistinctKeys(TrialScenario.spec, at: "the scenario")
    }

    /// Keys that code derives from paths are those of the list.
    @Test func keysOfPaths() {
        #expect(TrialScenario.key(\.viewers) == "viewers")
        #expect(ViewerGroup.key(\.arrival) == "arrival")
        #expect(
            ScenarioStream.spec.exclusive == [["renditions", "ladder"], ["renditions", "source"]])
        #expect(ViewerGroup.spec.exclusive == [["rate_limit", "link"]])
        #expect(StreamSource.spec.exactlyOne == ["synthetic", "file", "ffmpeg"])
    }

    /// What the protocol implies does not replace what the group says itself.
    @Test func protocolBringsItsDefaults() throws {
        let scenario = try TrialScenario.parse(
            """
            version: 1
            name: x
            streams: [{name: x}]
            viewers:
              - {count: 40}
              - {protocol: hls, count: 40}
              - {protocol: hls, count: 40, probes: 10%, buffer: 12s}
            """)
        #expect(scenario.viewers.map(\.probes) == [.share(0.05), .count(1), .share(0.1)])
        #expect(scenario.viewers.map(\.adaptive?.buffer) == [nil, .seconds(30), .seconds(12)])
        #expect(scenario.stack.hls == HLSSettings())
    }

    /// A seed from outside replaces the file's, in the canonical YAML as well.
    @Test func seedFromOutside() throws {
        let text = "{version: 1, name: x, streams: [{name: x}], viewers: [{count: 1}]}"
        let scenario = try TrialScenario.parse(text, seed: 7)
        #expect(scenario.seed == 7)
        #expect(try TrialScenario.parse(scenario.canonicalYAML) == scenario)
        #expect(try TrialScenario.parse(text) != scenario)
    }
}
