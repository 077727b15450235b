import Netem
import NetemShell
import SimulationKernel
import TestSupport
import Testing
import Viewer
import Workers

@testable import Analysis
@testable import Scenario
@testable import Stacks
@testable import Trials

/// Checks how the plan becomes the specifications of the processes.
@Suite struct RoleSpecsTests {
    /// Viewers behind packet links have their own processes, addresses and forwarder.
    @Test func packetLinks() throws {
        let path = GoodScenarios.path("links.yml")
        let plan = Plan(try TrialScenario.load(path: path))
        let packet = try #require(plan.links[4].packet)
        #expect(packet.down == "3Mbps" && packet.queue == "codel" && packet.duplicate == 0.01)
        #expect(plan.links[5].packet?.profile == "wifi-poor")
        // A full packet of 1500 bytes has 1448 bytes of payload; a profile also counts Ethernet's
        // header.
        #expect(plan.links[4].payloadRate.bitsPerSecond == 2_896_000)
        let behind = plan.viewers.filter { $0.group >= 4 }.map(\.index)
        let forwarder = try #require(plan.processes.first { $0.role == .links })
        #expect(forwarder.viewers == behind)
        for process in plan.processes where process.role == .viewers || process.role == .probes {
            #expect(process.isBehindPackets == behind.contains(process.viewers[0]))
            let endpoints = StackEndpoints(
                rtmpHost: "127.0.0.1", rtmpPort: 1935, application: "live",
                httpFLVBase: "http://127.0.0.1:8080/live")
            for spec in plan.viewerSpecs(process, endpoints) {
                #expect((spec.localAddress != nil) == process.isBehindPackets)
                #expect(spec.link == nil || !process.isBehindPackets)
                #expect(spec.url.contains("127.0.0.1") == !process.isBehindPackets)
            }
        }
        let names = plan.processes.map(\.name)
        #expect(Set(names).count == names.count)
        let config = try #require(plan.linkConfig("cubic", seed: 1))
        #expect(config.viewers.map(\.index) == behind)
        #expect(Set(config.viewers.map(\.link)) == [0, 1])
        let addresses = behind.map { plan.packetAddress(ofViewer: $0) }
        #expect(Set(addresses).count == behind.count && !addresses.contains(nil))
        // The address as written in the capture and that of the plan denote the same peer.
        let index = try #require(behind.first)
        let address = try #require(addresses[0])
        #expect(
            plan.peer(ofSession: index + Plan.sessionStride, port: 7)
                == ViewerPeer(port: 7, wireAddress: address.description))
        #expect(ViewerPeer(port: 7, wireAddress: "127.0.0.1") == ViewerPeer(port: 7))
    }

    /// HLS viewers are planned: they are spread over the streams, have their own processes, and
    /// play the rendition of their group.
    @Test func adaptiveViewers() throws {
        let path = GoodScenarios.path("hls.yml")
        let scenario = try TrialScenario.load(path: path)
        let plan = Plan(scenario)
        #expect(scenario.stack.hls?.part == .milliseconds(250))
        #expect(plan.adaptive.map { $0 != nil } == [true, true, true, false])
        var process = try #require(plan.processes.first { $0.role == .hls })
        let probes = try #require(plan.processes.first { $0.role == .hlsProbes })
        let adaptives = plan.viewers.filter { $0.group < 3 }
        #expect(process.viewers == adaptives.filter { !$0.isProbe }.map(\.index))
        // One viewer of each group is a probe, in a separate process.
        #expect(probes.viewers == adaptives.filter(\.isProbe).map(\.index))
        #expect(Set(probes.viewers.map { plan.viewers[$0].group }) == [0, 1, 2])
        #expect(probes.viewers.count == 3)
        process.viewers = adaptives.map(\.index)
        let endpoints = StackEndpoints(
            rtmpHost: "127.0.0.1", rtmpPort: 1, application: "live",
            hlsURL: "http://127.0.0.1:2/hls/live/{stream}/master.m3u8")
        let specs = plan.hlsSpecs(process, endpoints)
        #expect(Set(specs.filter(\.isProbe).map { $0.index % Plan.sessionStride }).count == 3)
        let byGroup = Dictionary(grouping: specs) {
            plan.viewers[$0.index % Plan.sessionStride].group
        }
        #expect(
            Set(byGroup[0]?.map(\.url) ?? []) == [
                "http://127.0.0.1:2/hls/live/cam1/master.m3u8",
                "http://127.0.0.1:2/hls/live/cam2/master.m3u8",
            ])
        let adaptive = try #require(byGroup[0]?.first)
        #expect(adaptive.algorithm == "bola-e" && adaptive.maximumHeight == 720)
        #expect(adaptive.maximumBufferMilliseconds == 20_000 && adaptive.link != nil)
        // 480p is the third of four renditions, counted from the lowest.
        let fixed = try #require(byGroup[1]?.first)
        #expect(fixed.algorithm == "fixed:2" && fixed.targetLatencyMilliseconds == 8000)
        #expect(!fixed.usesParts && !fixed.abandons)
        // The group has consecutive sessions, and the first begins at 2 s or later.
        let churned = byGroup[2] ?? []
        #expect(churned.count >= 2)
        #expect(churned.allSatisfy { $0.joinNanoseconds >= 2_000_000_000 })
        #expect(Set(churned.map(\.index)).count == churned.count)
    }
}
