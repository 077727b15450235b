import Foundation
import Server
import SimulationKernel
import Testing
import Viewer

@testable import Scenario

@Suite struct PlanTests {
    static func scenario(_ viewers: String, extra: String = "") throws -> TrialScenario {
        try TrialScenario.parse(
            "version: 1\nname: t\nstreams: [{name: live}]\n\(extra)\nviewers:\n\(viewers)")
    }

    @Test func sameSeedSamePlan() throws {
        let text = "  - {count: 40, probes: 10%}\n  - {count: 12, churn: {mean_watch: 3s}}"
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let first = try encoder.encode(Plan(try Self.scenario(text)))
        #expect(try encoder.encode(Plan(try Self.scenario(text))) == first)
        let other = try encoder.encode(Plan(try Self.scenario(text, extra: "seed: 2")))
        #expect(other != first)
    }

    @Test func spreadsViewersAndProbes() throws {
        let plan = Plan(
            try Self.scenario("  - {count: 28, probes: 10%}\n  - {count: 12, probes: 10%}"))
        #expect(plan.viewers.count == 40)
        #expect(plan.viewers.map(\.index) == Array(0..<40))
        let byRendition = Dictionary(grouping: plan.viewers, by: \.rendition)
        #expect(byRendition.values.map(\.count) == [10, 10, 10, 10])
        #expect(byRendition.values.allSatisfy { $0.contains(where: \.isProbe) })
        #expect(plan.viewers.count(where: \.isProbe) == 8)
        let joins = plan.viewers.map(\.joinOffsetNanoseconds)
        #expect(joins == joins.sorted())
        #expect(joins.last! <= 3_000_000_000)
        #expect(plan.publishers.map(\.streamKey).first == "live_720p")
        #expect(plan.publishers.map(\.streamID) == [1, 2, 3, 4])
        #expect(plan.ingressRate.bitsPerSecond == 4_898_000)
        #expect(plan.egressRates.lowest.bitsPerSecond == 48_980_000)
        #expect(plan.egressRates.highest.bitsPerSecond == 48_980_000)
    }

    /// HLS viewers choose: from the lowest rendition that they may take to the highest.
    @Test func ratesOfAdaptiveViewers() throws {
        func rates(_ viewers: String) throws -> [Int] {
            let rates = Plan(try Self.scenario(viewers)).egressRates
            return [rates.lowest.bitsPerSecond, rates.highest.bitsPerSecond]
        }
        #expect(try rates("  - {protocol: hls, count: 2}") == [528_000, 5_256_000])
        #expect(
            try rates("  - {protocol: hls, count: 1, rendition: 360p}") == [878_000, 878_000])
        let words = try Self.scenario("  - {protocol: hls, count: 2}").explanation
        #expect(words.contains("out of the server: 0.53 Mbit/s to 5.26 Mbit/s once all have"))
    }

    /// What a scenario does not set is no complaint.
    @Test func namesWhatCannotBeHonoured() throws {
        let stack = "driver: external, url: rtmp://h/live"
        func settings(_ stack: String, _ extra: String = "") throws -> [String] {
            try Self.scenario("  - {count: 1}", extra: "stack: {\(stack)}\n\(extra)")
                .unsupportedSettings
        }
        #expect(try settings(stack) == [])
        #expect(try settings(stack + ", threads: 2, keys: [live_720p]") == ["keys", "threads"])
        #expect(
            try settings(stack, "congestion_control: bbr")
                == ["congestion_control (set it on the server)"])
        #expect(
            try settings("driver: nginx-rtmp, gop_cache: 0")
                == ["gop_cache (joiners wait for a key frame)"])
        #expect(
            try settings("driver: floor, flush_interval: 40ms, queue_limit: 1MiB, threads: 2")
                == ["threads"])
        #expect(
            try settings("driver: nginx-rtmp, threads: per-session, buffers: copy")
                == ["buffers", "threads: per-session"])
        #expect(try settings("gop_cache: 0, threads: per-stream, buffers: copy") == [])
    }

    @Test func threadsAreANumberOrAModel() throws {
        func stack(_ keys: String) throws -> StackSettings {
            try Self.scenario("  - {count: 1}", extra: "stack: {\(keys)}").stack
        }
        let threaded = try stack("threads: per-stream, buffers: copy")
        #expect(threaded.senders == .perStream && threaded.threads == 1)
        #expect(threaded.buffers == .copy)
        let counted = try stack("threads: 3")
        #expect(counted.senders == nil && counted.threads == 3 && counted.buffers == nil)
        let errors = #expect(throws: ScenarioErrors.self) { try stack("threads: 0") }
        #expect(errors?.description.contains("whole number from 1 to 256") == true)
        // Settings without a model are stored as they always were.
        let text = String(decoding: try JSONEncoder().encode(counted), as: UTF8.self)
        #expect(text.contains("\"threads\":3") && !text.contains("senders"))
        #expect(try JSONDecoder().decode(StackSettings.self, from: Data(text.utf8)) == counted)
    }

    @Test func everyViewerHasOneProcess() throws {
        let plan = Plan(
            try Self.scenario("  - {count: 100}", extra: "processes: {viewers: 3}"))
        let assigned = plan.processes.flatMap(\.viewers).sorted()
        #expect(assigned == Array(0..<100))
        #expect(plan.processes.count { $0.role == .viewers } == 3)
        for process in plan.processes where process.role == .probes {
            #expect(process.viewers.allSatisfy { plan.viewers[$0].isProbe })
        }
        #expect(Set(plan.processes.map(\.name)).count == plan.processes.count)
    }

    @Test func anotherGroupDoesNotDisturbDraws() throws {
        let alone = Plan(try Self.scenario("  - {count: 20}"))
        let both = Plan(try Self.scenario("  - {count: 20}\n  - {count: 20}"))
        #expect(
            alone.viewers.map(\.joinOffsetNanoseconds)
                == both.viewers.filter { $0.group == 0 }.map(\.joinOffsetNanoseconds))
    }

    @Test func churnFillsTheRun() throws {
        let plan = Plan(try Self.scenario("  - {count: 5, churn: {mean_watch: 2s}}"))
        for viewer in plan.viewers {
            let end = viewer.joinOffsetNanoseconds + viewer.watchNanoseconds.reduce(0, +)
            #expect(end >= 27_000_000_000)
        }
    }

    /// Each stream at each target is a probe of a protocol of its own, at a sink by turns.
    @Test func targetsOfARelay() throws {
        let renditions = "[{name: a, source: {synthetic: {bitrate: 1Mbps}}}]"
        let relay = "{targets: 2, sinks: 2, link: 2Mbps, faults: {stalled: 1}}"
        let head =
            "version: 1\nname: t\nstreams: [{name: live, count: 3, renditions: \(renditions)}]\n"
        let alone = try TrialScenario.parse("\(head)relay: \(relay)\n")
        let plan = Plan(alone)
        #expect(plan.players.isEmpty && plan.targetSessions.count == 6)
        #expect(plan.viewers.map(\.index) == Array(0..<6))
        #expect(plan.viewers.allSatisfy { $0.isProbe && $0.playProtocol == .rtmpPush })
        #expect(plan.links.map(\.name) == ["2Mbps", "8kbps"])
        #expect(plan.egressRates.highest.bitsPerSecond == 5_008_000)
        let sinks = plan.processes.filter { $0.role == .sinks }
        #expect(sinks.map(\.name) == ["sinks-0", "sinks-1"])
        let specs = sinks.map(plan.sinkSpecs)
        #expect(specs[0].map(\.name) == ["relay0/live1_a", "relay0/live2_a", "relay0/live3_a"])
        #expect(specs[1].map(\.name) == ["relay1/live1_a", "relay1/live2_a", "relay1/live3_a"])
        #expect(specs[0].allSatisfy { $0.readRate?.bitsPerSecond == 2_000_000 })
        #expect(specs[1].map { $0.readRate?.bitsPerSecond } == [8000, 2_000_000, 2_000_000])
        #expect(alone.explanation.contains("6 sessions, each stream to 2 targets at 2 sinks"))
        // Viewers come first, and their draws stay as they were.
        let both = Plan(
            try TrialScenario.parse("\(head)viewers: [{count: 4}]\nrelay: {targets: 1}\n"))
        let without = Plan(try TrialScenario.parse("\(head)viewers: [{count: 4}]\n"))
        #expect(both.players == without.viewers && both.targetSessions.map(\.index) == [4, 5, 6])
        #expect(both.targetSessions.allSatisfy { $0.group == 1 && $0.link == nil })
    }

    /// The key frames of streams come at different times, those of a stream's renditions together.
    @Test func keyFramesOfCopiesAreSpread() throws {
        func firstGroups(_ renditions: String, _ extra: String = "") throws -> [Int?] {
            let text = """
                version: 1
                name: t
                \(extra)
                streams:
                  - name: s{i}
                    count: 3
                    renditions: \(renditions)
                viewers: [{count: 40}]
                """
            return Plan(try TrialScenario.parse(text)).publishers.map(\.firstGroupFrames)
        }
        func rendition(_ name: String, _ fps: Int) -> String {
            "{name: \(name), source: {synthetic: {fps: \(fps), gop: 2s, bitrate: 1Mbps}}}"
        }
        // Of 50 frames, parts of 0, 0.618 and 0.236 are left out, of all but the first one.
        #expect(try firstGroups("[\(rendition("a", 25))]") == [nil, 20, 39])
        #expect(
            try firstGroups("[\(rendition("a", 25)), \(rendition("b", 25))]")
                == [nil, nil, 20, 20, 39, 39])
        // Fewer places are left where the frame rates differ: here each fifth of a second.
        #expect(
            try firstGroups("[\(rendition("a", 25)), \(rendition("b", 30))]")
                == [nil, nil, 25, 30, 40, 48])
        #expect(
            try firstGroups("edge-ladder")
                == [nil, nil, nil, nil, 26, 26, 26, 13, 48, 48, 48, 24])
        // The streams of the next entry go on where those of this one end.
        #expect(
            try firstGroups(
                "[\(rendition("a", 25))]\n  - name: t\n    renditions: [\(rendition("a", 25))]")
                == [nil, 20, 39, 9])
        // A first segment decides on the target duration.
        let packaged = try firstGroups("[\(rendition("a", 25))]", "stack: {hls: {}}")
        #expect(packaged.allSatisfy { $0 == nil })
    }
}
