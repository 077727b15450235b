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
        var config = EdgeConfiguration(origin: origin)
        config.host = links == nil ? "127.0.0.1" : "0.0.0.0"
        config.port = 0
        config.cacheBytes = spec.cacheBytes
        config.congestionControl = congestionControl
        config.wan = spec.wan.map {
            .init(bitsPerSecond: $0.rate?.bitsPerSecond, delayNanoseconds: $0.delay.nanoseconds)
        }
        let observations = observations
        for process in plan.processes where process.role == .edge {
            let name = process.name
            edges.append(
                try RoleHandle(
                    name: name, logDirectory: writer.partialPath, cpus: process.cpus,
                    config: config
                ) { observations.edge(name, $0) })
        }
        var result = endpoints
        for handle in edges {
            let ready = try await handle.waitUntilReady()
            result.edgeURLs.append(
                url.replacing(origin, with: "http://\(endpoints.rtmpHost):\(ready.port)"))
        }
        return result
    }

    /// An edge that has ended on its own: the server side's failure, as the server's end is.
    var lostEdge: String? {
        for handle in edges {
            if let failure = handle.failure {
                return "\(handle.name) ended in mid-run, and its viewers with it: it \(failure)"
            }
        }
        return nil
    }

    /// Ends the edges. One whose report is lost leaves what its last interval brought.
    func finishEdges(into assembly: inout ResultsAssembly) async {
        let live = observations.snapshot.edges
        for handle in edges {
            if let status = await handle.finish(timeout: .seconds(5)) {
                assembly.edges.append(EdgeObservation(name: handle.name, status: status))
            } else {
                notes.append(
                    "\(handle.name): its report is lost: "
                        + "\(handle.failure ?? "it ended without one"); its figures are those of "
                        + "its last second")
                assembly.edges.append(
                    EdgeObservation(
                        name: handle.name, status: live[handle.name] ?? EdgeStatus(origin: "")))
            }
        }
    }
}
