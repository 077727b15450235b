import Foundation
import Processes
import Scenario
import Server
import SimulationKernel
import Stacks
import Workers

/// Starts the edges of a trial in front of its stack, with the limit and the proxies that belong
/// between edges and stack. Edges are part of what is under test, as the server is.
struct EdgeStarter: Sendable {
    let stack: StackSettings
    /// Processes of the plan that are edges.
    let processes: [ProcessPlan]
    /// Directory of the results, for the edges' logs.
    let directory: String
    /// Address that edges listen on.
    let host: String
    /// Congestion control of the edges' sockets; nil = the system's.
    let congestionControl: String?

    /// Limits the stack's uplink, if the scenario asks for it, and starts the edges.
    ///
    /// - Parameters:
    ///   - endpoints: Endpoints of the running stack.
    ///   - addMember: Function that gets the WAN proxy of an edge as soon as it is started.
    ///   - addEdge: Function that gets each edge before it is started.
    /// - Returns: The stack's endpoints with the URLs of the edges.
    /// - Throws: `ProcessError` with an edge's own words.
    func start(
        before endpoints: StackEndpoints, isolation: isolated (any Actor)? = #isolation,
        addMember: (any TrialMember) -> Void, addEdge: (TrialEdge) -> Void
    ) async throws -> StackEndpoints {
        OriginUplink.lift()
        if let rate = stack.uplink, let base = endpoints.httpFLVBase,
            let port = URLComponents(string: base)?.port
        {
            try OriginUplink.limit(port: port, to: rate)
        }
        guard let spec = stack.edges else { return endpoints }
        guard let url = endpoints.hlsURL, let parts = URLComponents(string: url),
            let host = parts.host, let port = parts.port
        else {
            throw ProcessError(name: "edge-0", message: "the stack serves no HLS to cache")
        }
        let origin = "http://\(host):\(port)"
        var edges: [TrialEdge] = []
        for process in processes {
            var edgeOrigin = origin
            if let proxy = try wanProxy(process, spec, origin: origin) {
                addMember(proxy.member)
                edgeOrigin = "http://127.0.0.1:\(try await proxy.handle.waitUntilReady().port)"
            }
            let edge = TrialEdge(
                name: process.name, start: program(process, spec, origin: edgeOrigin))
            addEdge(edge)
            edges.append(edge)
        }
        try await Self.begin(edges)
        var result = endpoints
        result.edgeURLs = edges.map {
            url.replacing(origin, with: "http://\(endpoints.rtmpHost):\($0.port)")
        }
        return result
    }

    private static func begin(_ edges: [TrialEdge]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for edge in edges { group.addTask { try await edge.begin() } }
            try await group.waitForAll()
        }
    }

    /// Returns the function that starts an edge's program, for the first time and again.
    private func program(
        _ process: ProcessPlan, _ spec: EdgeSettings, origin: String
    ) -> @Sendable (Int) async throws -> any EdgeProcess {
        let (name, cpus, directory) = (process.name, process.cpus, directory)
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

    /// Starts the WAN in front of an nginx edge, which cannot delay the bytes that it reads. The
    /// WAN is one of Millrace's edges that caches nothing. Returns nil if the edge needs no such
    /// proxy.
    private func wanProxy(
        _ process: ProcessPlan, _ spec: EdgeSettings, origin: String
    ) throws(ProcessError) -> (handle: RoleHandle<EdgeRole>, member: RoleMember<EdgeRole>)? {
        guard spec.driver == .nginx, let wan = spec.wan else { return nil }
        var config = EdgeConfiguration(origin: origin)
        config.limits = .none
        config.port = 0
        config.keeps = false
        config.wan = .init(wan)
        let proxy = try RoleHandle<EdgeRole>(
            name: process.name.replacing("edge", with: "wan"), logDirectory: directory,
            cpus: process.cpus, config: config)
        let member = RoleMember(
            stage: .wanProxies, accountedRole: "wan", handle: proxy, patience: .seconds(5)
        ) { _, _, _ in nil }
        return (proxy, member)
    }
}

extension EdgeConfiguration.WAN {
    fileprivate init(_ wan: EdgeSettings.WAN) {
        self.init(bitsPerSecond: wan.rate?.bitsPerSecond, delayNanoseconds: wan.delay.nanoseconds)
    }
}
