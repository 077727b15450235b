import Analysis
import Scenario
import Stacks
import Workers
import Foundation
import Processes
import Results
import Server
import SimulationKernel

/// The edges of a trial: part of what is under test, as the server is.
extension TrialRunner {
    /// Starts the edges before the stack at `endpoints`; returns those with the edges' URLs.
    /// - Throws: `ProcessError` with an edge's own words.
    func startEdges(
        before endpoints: StackEndpoints, _ congestionControl: String?
    ) async throws -> StackEndpoints {
        if let rate = scenario.stack.uplink, let base = endpoints.httpFLVBase,
            let port = URLComponents(string: base)?.port
        {
            try OriginUplink.limit(port: port, to: rate)
        }
        guard let spec = scenario.stack.edges else { return endpoints }
        guard let url = endpoints.hlsURL, let parts = URLComponents(string: url),
            let host = parts.host, let port = parts.port
        else {
            throw ProcessError(name: "edge-0", message: "the stack serves no HLS to cache")
        }
        let origin = "http://\(host):\(port)"
        for process in plan.processes where process.role == .edge {
            let way = try await startWay(process, spec, origin: origin)
            let edge = edgeStart(process, spec, origin: way ?? origin, congestionControl)
            edges.append(TrialEdge(name: process.name, start: edge))
        }
        let edges = edges
        try await withThrowingTaskGroup(of: Void.self) { group in
            for edge in edges { group.addTask { try await edge.begin() } }
            try await group.waitForAll()
        }
        var result = endpoints
        result.edgeURLs = edges.map {
            url.replacing(origin, with: "http://\(endpoints.rtmpHost):\($0.port)")
        }
        return result
    }

    /// What starts an edge, for the first time and again.
    private func edgeStart(
        _ process: ProcessPlan, _ spec: EdgeSettings, origin: String, _ congestionControl: String?
    ) -> @Sendable (Int) async throws -> any EdgeProcess {
        let host = links == nil ? "127.0.0.1" : "0.0.0.0"
        let (name, cpus, directory) = (process.name, process.cpus, writer.partialPath)
        switch spec.driver {
        case .embedded:
            var config = EdgeConfiguration(origin: origin)
            // Every client is a viewer of this run.
            config.limits = .none
            config.host = host
            config.cacheBytes = spec.cacheBytes
            config.congestionControl = congestionControl
            config.wan = spec.wan.map(EdgeConfiguration.WAN.init)
            return { [config] port in
                var config = config
                config.port = port
                return try await EmbeddedEdge(
                    name: name, config, cpus: cpus, logDirectory: directory)
            }
        case .nginx:
            let options = NginxEdge.Options(
                host: host, origin: String(origin.dropFirst("http://".count)),
                cacheBytes: spec.cacheBytes, cpus: cpus, logPath: "\(directory)/\(name).log")
            return { port in
                var options = options
                options.port = port
                return try await NginxEdge(name: name, options)
            }
        }
    }

    /// nginx knows no WAN: its way to the origin is a process of ours that keeps nothing.
    ///
    /// - Returns: the URL that it has for the origin; nil where there is no such way.
    private func startWay(
        _ process: ProcessPlan, _ spec: EdgeSettings, origin: String
    ) async throws -> String? {
        guard spec.driver == .nginx, let wan = spec.wan else { return nil }
        var config = EdgeConfiguration(origin: origin)
        config.limits = .none
        config.port = 0
        config.keeps = false
        config.wan = .init(wan)
        let way = try RoleHandle<EdgeRole>(
            name: process.name.replacing("edge", with: "wan"), logDirectory: writer.partialPath,
            cpus: process.cpus, config: config)
        ways.append(way)
        return "http://127.0.0.1:\(try await way.waitUntilReady().port)"
    }

    /// An edge that would not come back: the server side's failure, as the server's end is.
    var lostEdge: String? {
        let isAlone = edges.count == 1 || scenario.stack.edges?.failover == 0
        return edges.first { $0.state == .failed }.map {
            "\($0.name) was given up in mid-run\(isAlone ? ", and its viewers with it" : ""): it "
                + $0.lastFailure
        }
    }

    /// The edges' processes as they are now.
    var accountedEdges: [AccountedGroup] {
        edges.compactMap { edge in
            edge.pid.map {
                AccountedGroup(
                    role: AccountedGroup.edgeRole, processGroup: $0, ignoredCommands: ["sh"],
                    name: edge.name)
            }
        }
    }

    /// Ends the edges. One whose report is lost leaves what its last interval brought.
    func finishEdges(into record: inout TrialRecord) async {
        var losses: [String] = []
        for edge in edges {
            let (status, lost) = await edge.finish()
            losses += lost.map { "\(edge.name): \($0)" }
            record.edges.append(EdgeObservation(name: edge.name, status: status))
        }
        // Only now all ends are known.
        notes += edgeNotes + losses
        for way in ways { _ = await way.finish(timeout: .seconds(5)) }
    }
}

extension EdgeConfiguration.WAN {
    init(_ wan: EdgeSettings.WAN) {
        self.init(bitsPerSecond: wan.rate?.bitsPerSecond, delayNanoseconds: wan.delay.nanoseconds)
    }
}
