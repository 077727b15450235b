import Scenario
import Stacks
import Workers
import Processes
import Publisher
import Results
import Viewer

/// The roles of a trial, each a process or several.
extension TrialRunner {
    func startCapture(_ endpoints: StackEndpoints) async throws {
        guard scenario.capture.mode != .off else { return }
        do {
            capture = try await CaptureStage.start(
                scenario.capture, plan: plan, endpoints: endpoints, cpus: scenario.cpus.capture,
                directory: writer.partialPath)
        } catch {
            guard scenario.capture.mode == .auto else { throw error }
            notes.append("no capture: \(error.message)")
        }
    }

    func startPublishers(_ endpoints: StackEndpoints, _ congestionControl: String?)
        async throws
    {
        let observations = observations
        for process in plan.processes where process.role == .publishers {
            var config = PublisherRole.Config(
                specs: plan.publishSpecs(process, endpoints), options: .init())
            config.options.congestionControl = congestionControl
            config.options.trust = endpoints.trust
            let name = process.name
            publishers.append(
                try RoleHandle(
                    name: name, logDirectory: writer.partialPath, cpus: process.cpus,
                    config: config
                ) { observations.publisher(name, $0) })
        }
        for handle in publishers { _ = try await handle.waitUntilReady() }
    }

    func startViewers(_ endpoints: StackEndpoints, _ congestionControl: String?) throws {
        let observations = observations
        for process in plan.processes {
            let name = process.name
            let specs = plan.viewerSpecs(process, endpoints)
            switch process.role {
            case .viewers:
                var config = LoadViewerRole.Config(specs: specs, options: .init())
                config.options.congestionControl = congestionControl
                config.options.links = plan.socketLinks
                config.options.trust = endpoints.trust
                load.append(
                    try RoleHandle(
                        name: name, logDirectory: writer.partialPath, cpus: process.cpus,
                        networkNamespace: namespace(of: process), config: config
                    ) { observations.load(name, $0) })
            case .probes:
                let config = ProbeRole.Config(
                    specs: specs, congestionControl: congestionControl,
                    links: plan.socketLinks, trust: endpoints.trust)
                probes.append(
                    try RoleHandle(
                        name: name, logDirectory: writer.partialPath, cpus: process.cpus,
                        networkNamespace: namespace(of: process), config: config
                    ) { observations.probes(name, $0) })
            case .hls, .hlsProbes:
                let isProbes = process.role == .hlsProbes
                var config = HLSViewerRole.Config(
                    specs: plan.hlsSpecs(process, endpoints), options: .init())
                config.options.congestionControl = congestionControl
                config.options.links = plan.socketLinks
                config.options.trust = endpoints.trust
                let handle = try RoleHandle<HLSViewerRole>(
                    name: name, logDirectory: writer.partialPath, cpus: process.cpus,
                    networkNamespace: namespace(of: process), config: config
                ) { observations.hls(name, $0, isProbes: isProbes) }
                if isProbes { hlsProbes.append(handle) } else { hls.append(handle) }
            default: break
            }
        }
    }
}
