import ABR
import ArgumentParser
import Netem
import SimulationKernel
import Viewer

/// Options of the players of HLS viewers.
struct AdaptiveOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Adaptation: \(AlgorithmName.allNames.joined(separator: ", ")) (fixed:N for rendition N).",
            valueName: "name"))
    var algorithm = "hls-js"
    @Option(help: "Seconds of media that the player holds at most.")
    var buffer = 30.0
    @Option(help: "Caps the picture's height: phone, tablet or pc.")
    var device: String?
    @Option(help: "Seconds behind the live edge; default: what the playlist asks for.")
    var latency: Double?
    @Flag(inversion: .prefixedNo, help: "Play parts where the server offers low latency.")
    var parts = true
    @Flag(inversion: .prefixedNo, help: "Give downloads up for a lower rendition.")
    var abandon = true

    func validate() throws {
        guard AlgorithmName(parsing: algorithm) != nil else {
            let nearest = NameDistance.nearest(to: algorithm, among: AlgorithmName.allNames)
            throw ValidationError(
                "--algorithm \(algorithm) is none; "
                    + (nearest.map { "did you mean '\($0)'?" } ?? "see millrace simulate --list"))
        }
        if let device {
            do {
                _ = try DeviceProfile(named: device)
            } catch {
                throw ValidationError("--device: \(error)")
            }
        }
        try check(buffer, in: 0.1...3600, "--buffer")
        if let latency { try check(latency, in: 0.1...3600, "--latency") }
    }

    /// A viewer with a player that has these settings.
    var player: HLSViewerSpec {
        var spec = HLSViewerSpec(index: 0, url: "")
        spec.algorithm = algorithm
        spec.maximumBufferMilliseconds = buffer * 1000
        spec.maximumHeight = device.flatMap { try? DeviceProfile(named: $0).maximumHeight }
        spec.targetLatencyMilliseconds = latency.map { $0 * 1000 }
        spec.usesParts = parts
        spec.abandons = abandon
        return spec
    }
}
