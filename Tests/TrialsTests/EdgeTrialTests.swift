import Foundation
import Glibc
import Netem
import Processes
import Report
import Results
import Server
import Synchronization
import TestSupport
import Testing
import Viewer

@testable import Scenario
@testable import Stacks
@testable import Trials

/// Checks edges in scenarios and plans.
@Suite struct EdgeScenarioTests {
    @Test func viewersTakeTurns() throws {
        let path = GoodScenarios.path("edges.yml")
        let scenario = try TrialScenario.load(path: path)
        let plan = Plan(scenario)
        #expect(
            plan.processes.filter { $0.role == .edge }.map(\.name) == [
                "edge-0", "edge-1", "edge-2",
            ])
        func edges(_ group: Int) -> [Int?] {
            plan.viewers.filter { $0.group == group }.map(\.edge)
        }
        #expect(edges(0) == [0, 1, 2, 0] && edges(3) == [1, 2])
        #expect(edges(1).allSatisfy { $0 == nil } && edges(4).allSatisfy { $0 == nil })
        // Viewers that play from the origin directly have the WAN's delay in their link.
        let near = try #require(plan.links[0].socket)
        let far = try #require(plan.links[1].socket)
        let bare = try #require(plan.links[2].socket)
        #expect(near.delay.nanoseconds == 2_000_000 && far.delay.nanoseconds == 22_000_000)
        #expect(near.rate.periods[0].bitsPerSecond == 20_000_000)
        #expect(far.rate.periods[0].bitsPerSecond == 10_000_000)
        #expect(bare.delay.nanoseconds == 20_000_000)
        #expect(bare.rate.periods[0].bitsPerSecond == 10_000_000 && plan.links[2].name == "wan")
        var endpoints = StackEndpoints(
            rtmpHost: "127.0.0.1", rtmpPort: 1, application: "live",
            hlsURL: "http://127.0.0.1:9/hls/live/{stream}/master.m3u8")
        endpoints.edgeURLs = (0..<3).map { "http://127.0.0.1:1\($0)/hls/live/{stream}/master.m3u8" }
        let process = try #require(plan.processes.first { $0.role == .hls })
        for spec in plan.hlsSpecs(process, endpoints) {
            let port = plan.viewers[spec.index].edge.map { "1\($0)" } ?? "9"
            #expect(spec.url == "http://127.0.0.1:\(port)/hls/live/cam/master.m3u8")
        }
    }
}

/// Checks that counts of an edge are read from nginx's access log.
@Suite struct NginxEdgeLogTests {
    @Test func counts() throws {
        let text = """
            MISS|200|1000|200|1000|/hls/live/a_hi/7.m4s
            HIT|200|1000|-|-|/hls/live/a_hi/7.m4s
            EXPIRED|200|300|502, 200|0, 300|/hls/live/a_hi/index.m3u8
            UPDATING|200|300|-|-|/hls/live/a_hi/index.m3u8
            MISS|504|160|504|0|/hls/live/a_hi/8.m4s
            MISS|499|0|-|-|/hls/live/a_hi/8.m4s
            -|400|150|-|-|/
            not a line of nginx's
            HIT|200|40|-|-|/a|b/init-3.mp4

            """
        let bytes = Array(text.utf8)
        // The log arrives byte by byte, in pieces of 7 bytes, and in one piece.
        for size in [1, 7, bytes.count] {
            var log = NginxEdgeLog(path: "/nonexistent")
            for start in stride(from: 0, to: bytes.count, by: size) {
                log.receive(bytes[start..<min(start + size, bytes.count)])
            }
            let status = log.read()
            let segment = try #require(status.kinds["segment"])
            #expect((segment.requests, segment.hits, segment.misses) == (4, 2, 2))
            #expect((segment.originRequests, segment.originBytes) == (2, 1000))
            #expect((segment.clientBytes, segment.failures) == (2160, 1))
            let playlist = try #require(status.kinds["playlist"])
            #expect((playlist.hits, playlist.misses, playlist.originRequests) == (1, 1, 2))
            #expect(playlist.originBytes == 300)
            #expect(status.kinds["other"]?.refused == 1)
            #expect(status.kinds["init"]?.hits == 1)
        }
    }
}

/// Checks the restarts of an edge, with programs that end when the test ends them.
@Suite(.timeLimit(.minutes(1))) struct TrialEdgeTests {
    private final class Program: EdgeProcess {
        let pid: Int32
        let port = 4711
        let ended = Mutex<String?>(nil)
        init(pid: Int32) { self.pid = pid }
        var failure: String? { ended.withLock { $0 } }
        var latest: EdgeStatus {
            var status = EdgeStatus(origin: "")
            status.kinds["segment", default: .init()].requests = 10
            return status
        }
        func finish() async -> EdgeStatus? { failure == nil ? latest : nil }
    }

    private final class Programs: Sendable {
        let all = Mutex<[Program]>([])
        let ports = Mutex<[Int]>([])
        let limit: Int
        init(limit: Int) { self.limit = limit }

        func start(_ port: Int) throws -> Program {
            ports.withLock { $0.append(port) }
            return try all.withLock {
                guard $0.count < limit else { throw ProcessError(name: "edge-0", message: "no") }
                $0.append(Program(pid: Int32($0.count + 1)))
                return $0.last!
            }
        }
        func end(_ index: Int) {
            all.withLock { $0 }[index].ended.withLock { $0 = "was killed by signal 9" }
        }
    }

    private static let killed =
        "ended: it was killed by signal 9; its report is lost, its figures are those of its last second"

    private func edge(
        _ programs: Programs, limit: Int, delayMilliseconds: Int = 10
    ) -> TrialEdge {
        var policy = RestartPolicy()
        policy.firstDelayMilliseconds = delayMilliseconds
        policy.longestDelayMilliseconds = delayMilliseconds
        policy.limit = limit
        return TrialEdge(name: "edge-0", policy: policy) { try programs.start($0) }
    }

    private func wait(_ condition: () -> Bool) async throws {
        while !condition() { try await Task.sleep(for: .milliseconds(5)) }
    }

    @Test func comesBackOnItsPort() async throws {
        let programs = Programs(limit: 3)
        let edge = edge(programs, limit: 5)
        try await edge.begin()
        #expect(edge.state == .running && edge.pid == 1 && edge.port == 4711)
        for run in 0..<2 {
            programs.end(run)
            try await wait { edge.restarts == run + 1 }
        }
        #expect(edge.pid == 3 && programs.ports.withLock { $0 } == [0, 4711, 4711])
        #expect(
            edge.events.map(\.words) == [
                Self.killed, "was started again", Self.killed, "was started again",
            ])
        // The last counts of the runs whose reports are lost are included.
        let (status, lost) = await edge.finish()
        #expect(status.kinds["segment"]?.requests == 30 && lost == [])
    }

    /// If an edge has ended and not yet restarted, the loss is reported once, by the event.
    @Test func endsWhileItBacksOff() async throws {
        let programs = Programs(limit: 2)
        let edge = edge(programs, limit: 5, delayMilliseconds: 60_000)
        try await edge.begin()
        programs.end(0)
        try await wait { edge.state == .backingOff }
        let (status, lost) = await edge.finish()
        #expect(status.kinds["segment"]?.requests == 10 && lost == [])
        #expect(edge.events.map(\.words) == [Self.killed])
    }

    /// If an edge ends just before the trial does, the loss is reported once, whether the runner
    /// has noticed the end or not.
    @Test func endsWithTheTrial() async throws {
        let programs = Programs(limit: 2)
        let edge = edge(programs, limit: 5, delayMilliseconds: 60_000)
        try await edge.begin()
        programs.end(0)
        let lost = await edge.finish().lost
        let told = (edge.events.map(\.words) + lost).filter { $0.contains("its report is lost") }
        #expect(told.count == 1)
    }

    /// Losses beyond the largest number of events are counted.
    @Test func lossesAreCounted() async throws {
        let programs = Programs(limit: 100)
        let edge = edge(programs, limit: 100, delayMilliseconds: 0)
        try await edge.begin()
        for run in 0..<28 {
            programs.end(run)
            try await wait { edge.restarts == run + 1 }
        }
        #expect(edge.events.count == 50)
        #expect(await edge.finish().lost == ["the reports of 3 later runs are lost, too"])
    }

    @Test func isGivenUp() async throws {
        let programs = Programs(limit: 1)
        let edge = edge(programs, limit: 3)
        try await edge.begin()
        programs.end(0)
        try await wait { edge.state == .failed }
        #expect(programs.ports.withLock { $0 } == [0, 4711, 4711, 4711])
        #expect(edge.events.last?.words.hasPrefix("was given up") == true && edge.pid == nil)
        #expect(await edge.finish().status.kinds["segment"]?.requests == 10)
    }

    @Test func theFirstStartIsNotTriedAgain() async throws {
        let programs = Programs(limit: 0)
        let edge = edge(programs, limit: 3)
        await #expect(throws: ProcessError.self) { try await edge.begin() }
        #expect(programs.ports.withLock { $0 } == [0] && edge.state == .starting)
        #expect(await edge.finish().lost == [])
    }
}

@Suite(.enabled(if: Programs.millrace != nil, "millrace is not built"), .timeLimit(.minutes(2)))
struct EdgeTrialTests {
    private static let viewers = """
          - protocol: hls
            count: 4
            rendition: small

        """

    /// An edge that is killed restarts on its port, its viewers continue, and the results say so.
    /// If it is killed again and again, its back-off gives viewers the time to change to another
    /// edge.
    @Test(
        arguments: [("{count: 1}", 1), ("{count: 2, failover: 1}", 4), ("{driver: nginx}", 1)])
    func killedEdge(edges: String, times: Int) async throws {
        let isNginx = edges.contains("nginx")
        guard !isNginx || FileManager.default.fileExists(atPath: "/usr/sbin/nginx") else {
            print("skipped for nginx: apt-get install nginx-light")
            return
        }
        let trial = try TrialProcess(
            viewers: Self.viewers, stack: "  edges: \(edges)\n  hls: {segment: 1s}\n",
            duration: times > 1 ? "20s" : "12s")
        defer { trial.remove() }
        try await trial.waitUntilRunning()
        let victims = try await trial.killChildren(
            named: isNginx ? "nginx" : "edge", times: times)
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let directory = try #require(try trial.directories().first)
        let read = try RunResults(path: "\(trial.results)/\(directory)")
        let notes = read.summary.notes
        for words in ["ended: it was killed by signal 9", "was started again"] {
            #expect(
                notes.contains {
                    $0.hasPrefix("edge-") && $0.contains(words)
                        && $0.contains("in the steady window")
                }, "\(notes)")
        }
        // If millrace's own edge is killed, its counts since its last report are lost; nginx's log
        // stays complete.
        let ends = notes.filter { $0.contains("ended: it was killed by signal 9") }
        #expect(ends.allSatisfy { $0.contains("its report is lost") != isNginx }, "\(notes)")
        #expect(notes.count { $0.contains("report is lost") } == (isNginx ? 0 : ends.count))
        // An edge that is killed before it listens has not restarted.
        let isBack = notes.contains {
            $0.contains("running at the end, ")
                && (times > 1 || $0.hasSuffix("running at the end, 1 restarts"))
        }
        #expect(isBack, "\(notes)")
        // All runs of the program are in the process accounting, and their counts are in one row.
        let name = try #require(notes.first { $0.contains("was started again") }).prefix(6)
        let pids = read.processes.filter { $0.name == name }.compactMap(\.pid)
        #expect(Set(pids).count >= 2 && pids.contains(Int(victims[0])))
        #expect(read.edges.contains { $0.edge == name && ($0.requests ?? 0) > 0 })
        #expect(read.viewers.allSatisfy { $0.error.isEmpty && ($0.playBytes ?? 0) > 0 })
        let moves = read.viewers.compactMap(\.failovers)
        #expect(moves.count == 4)
        #expect(times > 1 ? moves.reduce(0, +) > 0 : moves.allSatisfy { $0 == 0 })
        try trial.expectTidy()
        try await trial.expectGone(victims)
    }

    /// With a real nginx in front of the origin, each segment crosses the WAN once.
    @Test(
        .enabled(
            if: FileManager.default.fileExists(atPath: "/usr/sbin/nginx"),
            "apt-get install nginx-light"))
    func nginxAsAnEdge() async throws {
        let captures = geteuid() == 0
        let trial = try TrialProcess(
            capture: captures ? "true" : "false", viewers: Self.viewers,
            stack: "  edges: {driver: nginx, wan: {delay: 5ms}}\n  hls: {segment: 1s}\n",
            duration: "5s")
        defer { trial.remove() }
        #expect(try await trial.finish() == 0, "\(trial.text)")
        let directory = try #require(try trial.directories().first)
        let read = try RunResults(path: "\(trial.results)/\(directory)")
        #expect(read.summary.viewersJoined == 4)
        #expect(Set(read.processes.map(\.role)).isSuperset(of: ["edge", "wan"]))
        let row = try #require(read.edges.first { $0.kind == "segment" })
        let (requests, misses) = try (#require(row.requests), #require(row.misses))
        #expect(row.edge == "edge-0" && row.collapsed == nil && row.evictions == nil)
        #expect(misses > 0 && requests > 2 * misses && row.hits == requests - misses)
        #expect(row.originRequests == misses && row.failures == 0)
        let summary = try #require(read.summary.edges)
        #expect(misses == summary.distinctSegments)
        #expect(try #require(row.clientBytes) > 2 * (try #require(row.originBytes)))
        guard captures else { return try trial.expectTidy() }
        // The capture shows the same: the edge sends segments for four viewers, the origin for one.
        func wireBytes(_ vantage: String) throws -> Int {
            let row = read.renditions.first {
                $0.vantage == vantage && $0.playProtocol == "hls" && $0.rendition == "small"
            }
            return try #require(row?.wireBytes)
        }
        #expect(try wireBytes("edge") > 2 * wireBytes("wire"))
        // The capture and the viewers count the same segments; they differ by the HTTP headers.
        let item = try #require(read.summary.reconciliation.first)
        let headers = item.wireBytes - item.viewerBytes
        #expect(item.playProtocol == "hls" && read.summary.reconciliation.count == 1)
        #expect(headers > 0 && headers < 40 * 600, "\(item)")
        try trial.expectTidy()
    }
}
