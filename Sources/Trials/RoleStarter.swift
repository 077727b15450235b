import Analysis
import Publisher
import Scenario
import Stacks
import Statistics
import Viewer
import Workers

/// Starts the publishers and the viewers of a trial, in as many processes as the plan has. Each
/// child is handed over as soon as it is started, so that it is ended whatever happens after that.
struct RoleStarter: Sendable {
    let plan: Plan
    let observations: TrialObservations
    /// Directory of the results, for the children's logs.
    let directory: String
    let endpoints: StackEndpoints
    /// Congestion control of the children's sockets; nil = the system's.
    let congestionControl: String?
    /// Descriptor of the network namespace of the viewers behind the packet shell.
    let linkNamespace: Int32?

    /// Starts the publishers one after the other and waits until each is ready.
    ///
    /// - Parameter add: Function that gets each publisher before it is ready.
    /// - Throws: `ProcessError` with a publisher's own words.
    func startPublishers(
        isolation: isolated (any Actor)? = #isolation, add: (any TrialMember) -> Void
    ) async throws {
        for process in plan.processes where process.role == .publishers {
            let member = try publishers(process)
            add(member)
            try await member.waitUntilReady()
        }
    }

    private func publishers(_ process: ProcessPlan) throws -> RoleMember<PublisherRole> {
        let (name, observations) = (process.name, observations)
        var config = PublisherRole.Config(
            specs: plan.publishSpecs(process, endpoints), options: .init())
        config.options.congestionControl = congestionControl
        config.options.trust = endpoints.trust
        let handle = try RoleHandle<PublisherRole>(
            name: name, logDirectory: directory, cpus: process.cpus, config: config
        ) { observations.publisher(name, $0) }
        return RoleMember(
            stage: .publishers, accountedRole: "publishers", handle: handle
        ) { report, loss, record in
            // If a publisher was killed, only its latest interval report is known.
            let known = report ?? observations.snapshot.publishers[name]
            record.streams += known?.streams ?? []
            record.publisherLateness.add(known?.windowLateness ?? .init())
            return report == nil ? loss : nil
        }
    }

    /// Starts the viewers and probes; they become ready side by side.
    ///
    /// - Parameter add: Function that gets each child.
    /// - Throws: `ProcessError` if a child cannot be started.
    func startViewers(add: (any TrialMember) -> Void) throws {
        for process in plan.processes {
            switch process.role {
            case .viewers: add(try loadViewers(process))
            case .probes: add(try probes(process))
            case .hls, .hlsProbes: add(try hlsViewers(process))
            default: break
            }
        }
    }

    private func loadViewers(_ process: ProcessPlan) throws -> any TrialMember {
        let (name, observations) = (process.name, observations)
        var config = LoadViewerRole.Config(
            specs: plan.viewerSpecs(process, endpoints), options: .init())
        config.options.congestionControl = congestionControl
        config.options.links = plan.socketLinks
        config.options.trust = endpoints.trust
        let handle = try RoleHandle<LoadViewerRole>(
            name: name, logDirectory: directory, cpus: process.cpus,
            networkNamespace: namespace(of: process), config: config
        ) { observations.load(name, $0) }
        return member(handle, .loadViewers, accountedRole: "viewers") { report, record in
            record.load += report.viewers
            record.viewerLag.add(report.windowLag)
        }
    }

    private func probes(_ process: ProcessPlan) throws -> any TrialMember {
        let (name, observations) = (process.name, observations)
        let config = ProbeRole.Config(
            specs: plan.viewerSpecs(process, endpoints), congestionControl: congestionControl,
            links: plan.socketLinks, trust: endpoints.trust)
        let handle = try RoleHandle<ProbeRole>(
            name: name, logDirectory: directory, cpus: process.cpus,
            networkNamespace: namespace(of: process), config: config
        ) { observations.probes(name, $0) }
        return member(handle, .probes, accountedRole: "probes") { report, record in
            record.probes += report.viewers
            record.probeLag.add(report.windowLag)
        }
    }

    private func hlsViewers(_ process: ProcessPlan) throws -> any TrialMember {
        let (name, observations) = (process.name, observations)
        let isProbes = process.role == .hlsProbes
        var config = HLSViewerRole.Config(
            specs: plan.hlsSpecs(process, endpoints), options: .init())
        config.options.congestionControl = congestionControl
        config.options.links = plan.socketLinks
        config.options.trust = endpoints.trust
        let handle = try RoleHandle<HLSViewerRole>(
            name: name, logDirectory: directory, cpus: process.cpus,
            networkNamespace: namespace(of: process), config: config
        ) { observations.hls(name, $0, isProbes: isProbes) }
        return member(
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
    }

    /// Returns the namespace that a process's sockets belong to; nil = this process's.
    private func namespace(of process: ProcessPlan) -> Int32? {
        process.isBehindPackets ? linkNamespace : nil
    }

    /// Makes the member of a child; without the child's report the trial is void.
    private func member<Role: WorkerRole>(
        _ handle: RoleHandle<Role>, _ stage: TrialStage, accountedRole: String,
        take: @escaping @Sendable (Role.Final, inout TrialRecord) -> Void
    ) -> any TrialMember {
        RoleMember(stage: stage, accountedRole: accountedRole, handle: handle) {
            report, loss, record in
            guard let report else { return loss }
            take(report, &record)
            return nil
        }
    }
}
