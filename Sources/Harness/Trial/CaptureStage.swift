/// The capture process of a trial.
final class CaptureStage: Sendable {
    var pid: Int32? { nil }

    static func start(
        _ spec: CaptureSpec, plan: Plan, endpoints: StackEndpoints, cpus: CPUSet?,
        directory: String
    ) async throws(ProcessError) -> CaptureStage {
        throw ProcessError(name: "capture", message: "not built in yet")
    }

    func start(atNanoseconds start: Int64) {}
    func setWindow(_ window: WorkerWindow) {}
    func finish() async -> WireObservation { WireObservation() }
}
