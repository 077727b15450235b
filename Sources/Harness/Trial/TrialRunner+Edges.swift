import Foundation
import Processes
import Results
import Server
import SimulationKernel

/// What one edge did in the whole run.
struct EdgeObservation: Sendable {
    /// Of its process.
    var name: String
    var status: EdgeStatus
}

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
            edges.append(
                (
                    process.name,
                    try await startEdge(process, spec, origin: way ?? origin, congestionControl)
                ))
        }
        var result = endpoints
        for (_, edge) in edges {
            result.edgeURLs.append(
                url.replacing(origin, with: "http://\(endpoints.rtmpHost):\(edge.port)"))
        }
        return result
    }

    private func startEdge(
        _ process: ProcessPlan, _ spec: EdgeSpec, origin: String, _ congestionControl: String?
    ) async throws -> any EdgeProcess {
        let host = links == nil ? "127.0.0.1" : "0.0.0.0"
        switch spec.driver {
        case .embedded:
            var config = EdgeConfiguration(origin: origin)
            config.host = host
            config.port = 0
            config.cacheBytes = spec.cacheBytes
            config.congestionControl = congestionControl
            config.wan = spec.wan.map(EdgeConfiguration.WAN.init)
            return try await EmbeddedEdge(
                name: process.name, config, cpus: process.cpus, logDirectory: writer.partialPath)
        case .nginx:
            return try await NginxEdge(
                name: process.name,
                .init(
                    host: host, origin: String(origin.dropFirst("http://".count)),
                    cacheBytes: spec.cacheBytes, cpus: process.cpus,
                    logPath: "\(writer.partialPath)/\(process.name).log"))
        }
    }

    /// nginx knows no WAN: its way to the origin is a process of ours that keeps nothing.
    ///
    /// - Returns: the URL that it has for the origin; nil where there is no such way.
    private func startWay(
        _ process: ProcessPlan, _ spec: EdgeSpec, origin: String
    ) async throws -> String? {
        guard spec.driver == .nginx, let wan = spec.wan else { return nil }
        var config = EdgeConfiguration(origin: origin)
        config.port = 0
        config.keeps = false
        config.wan = .init(wan)
        let way = try RoleHandle<EdgeRole>(
            name: process.name.replacing("edge", with: "wan"), logDirectory: writer.partialPath,
            cpus: process.cpus, config: config)
        ways.append(way)
        return "http://127.0.0.1:\(try await way.waitUntilReady().port)"
    }

    /// An edge that has ended on its own: the server side's failure, as the server's end is.
    var lostEdge: String? {
        for (name, edge) in edges {
            if let failure = edge.failure {
                return "\(name) ended in mid-run, and its viewers with it: it \(failure)"
            }
        }
        return nil
    }

    /// Ends the edges. One whose report is lost leaves what its last interval brought.
    func finishEdges(into assembly: inout ResultsAssembly) async {
        for (name, edge) in edges {
            let failure = edge.failure
            let status = await edge.finish()
            if status == nil {
                notes.append(
                    "\(name): its report is lost: \(failure ?? "it ended without one"); its figures "
                        + "are those of its last second")
            }
            assembly.edges.append(EdgeObservation(name: name, status: status ?? edge.latest))
        }
        for way in ways { _ = await way.finish(timeout: .seconds(5)) }
    }
}

extension EdgeConfiguration.WAN {
    init(_ wan: EdgeSpec.WAN) {
        self.init(bitsPerSecond: wan.rate?.bitsPerSecond, delayNanoseconds: wan.delay.nanoseconds)
    }
}
