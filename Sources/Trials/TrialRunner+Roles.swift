import Analysis
import Statistics
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
            let handle = try RoleHandle<PublisherRole>(
                name: name, logDirectory: writer.partialPath, cpus: process.cpus, config: config
            ) { observations.publisher(name, $0) }
            let member = RoleMember(
                stage: .publishers, accountedRole: "publishers", handle: handle
            ) { report, loss, record in
                // What the last interval brought is left of a publisher that was killed.
                let known = report ?? observations.snapshot.publishers[name]
                record.streams += known?.streams ?? []
                record.publisherLateness.add(known?.windowLateness ?? .init())
                return report == nil ? loss : nil
            }
            members.append(member)
            try await member.waitUntilReady()
        }
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
                let handle = try RoleHandle<LoadViewerRole>(
                    name: name, logDirectory: writer.partialPath, cpus: process.cpus,
                    networkNamespace: namespace(of: process), config: config
                ) { observations.load(name, $0) }
                add(handle, .loadViewers, accountedRole: "viewers") { report, record in
                    record.load += report.viewers
                    record.viewerLag.add(report.windowLag)
                }
            case .probes:
                let config = ProbeRole.Config(
                    specs: specs, congestionControl: congestionControl,
                    links: plan.socketLinks, trust: endpoints.trust)
                let handle = try RoleHandle<ProbeRole>(
                    name: name, logDirectory: writer.partialPath, cpus: process.cpus,
                    networkNamespace: namespace(of: process), config: config
                ) { observations.probes(name, $0) }
                add(handle, .probes, accountedRole: "probes") { report, record in
                    record.probes += report.viewers
                    record.probeLag.add(report.windowLag)
                }
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
                add(
                    handle, isProbes ? .hlsProbes : .hlsViewers,
                    accountedRole: isProbes ? "probes" : "viewers"
                ) { report, record in
                    record.hls += report.viewers
                    if isProbes {
                        record.probeLag.add(report.windowLag)
                    } else {
                        record.viewerLag.add(report.windowLag)
                    }
                }
            default: break
            }
        }
    }

    /// Adds a child without whose report the trial is void.
    private func add<Role: WorkerRole>(
        _ handle: RoleHandle<Role>, _ stage: TrialStage, accountedRole: String,
        take: @escaping @Sendable (Role.Final, inout TrialRecord) -> Void
    ) {
        members.append(
            RoleMember(stage: stage, accountedRole: accountedRole, handle: handle) {
                report, loss, record in
                guard let report else { return loss }
                take(report, &record)
                return nil
            })
    }
}
