import Foundation
import Glibc
import NetemShell
import Results
import TestSupport
import Testing

@testable import Trials

/// Checks viewers behind packet links in a whole run.
@Suite(
    .enabled(if: Programs.millrace != nil, "millrace is not built"),
    .enabled(if: geteuid() == 0 && access(TunDevice.path, W_OK) == 0, "needs root and TUN devices"),
    .timeLimit(.minutes(2)))
struct TrialLinkTests {
    private static let viewers = """
          - {protocol: rtmp, count: 3, probes: 1, link: {shell: packet, down: 2Mbps, delay: 30ms, loss: 2%}}
          - {protocol: http-flv, count: 2, probes: 1, link: {shell: packet, down: lte}}
          - {protocol: rtmp, count: 2, probes: 1}

        """

    /// Probes behind a delay of 30 ms measure at least 30 ms, and the capture attributes traffic to
    /// every viewer by its address.
    @Test func delaysAndReconciles() async throws {
        let trial = try TrialProcess(capture: "true", viewers: Self.viewers)
        defer { trial.remove() }
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let summary = try trial.summary()
        #expect(summary.viewersJoined == 7)
        #expect(summary.roles.contains { $0.role == "links" })
        #expect(summary.health.linkLatenessP99Milliseconds != nil)
        let directory = try #require(try trial.directories().first)
        let read = try RunResults(path: "\(trial.results)/\(directory)")
        let lost = read.viewers.filter { $0.group == 0 }.compactMap(\.linkLostPackets)
        #expect(lost.count == 3)
        #expect(read.viewers.allSatisfy { ($0.group == 2) == ($0.linkLostPackets == nil) })
        // The capture holds frames of every probe, in each namespace.
        let frames = read.probeFrames.filter { $0.viewer != nil }
        for group in 0...2 {
            let mine = Set(read.viewers.filter { $0.group == group && $0.probe == 1 }.map(\.viewer))
            let delays = frames.filter { mine.contains($0.viewer) }
                .compactMap(\.viewerDelayMilliseconds)
            #expect(!delays.isEmpty, "group \(group)")
            if group == 0 { #expect(delays.allSatisfy { $0 >= 30 }) }
        }
        try trial.expectTidy()
    }

    @Test func killedLinksVoidTheTrial() async throws {
        let trial = try TrialProcess(viewers: Self.viewers, duration: "60s")
        defer { trial.remove() }
        // Viewers and probes have two processes each, one on each side of the links, but children
        // are counted by role.
        let children = try await trial.waitForChildren(5)
        try await trial.waitUntilRunning()
        #expect(kill(try #require(children["links"]), SIGKILL) == 0)
        #expect(try await trial.finish() == 97, "\(trial.text)")
        #expect(try trial.manifest().validity.reasons.contains { $0.hasPrefix("links-0: ") })
        try await trial.expectGone(Array(children.values))
    }
}
