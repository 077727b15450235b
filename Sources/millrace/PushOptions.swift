import ArgumentParser
import Server
import Sockets

/// Options for streams that the embedded stack pushes to other servers.
struct PushOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Push streams to this RTMP server as soon as they are published; repeat for more. {app} and {stream} in the URL stand for the parts of a stream's name, * in STREAMS for any characters.",
            valueName: "[streams=]url"))
    var push: [String] = []
    @Option(
        help: ArgumentHelp(
            "PEM file of the authorities to trust at rtmps targets, instead of the system's.",
            valueName: "file"))
    var pushCA: String?

    var trust: TLSTrust { TLSTrust(authorities: pushCA) }

    func validate() throws { _ = try rules() }

    /// - Throws: `ValidationError` for a rule that cannot be used.
    func rules() throws -> [PushRule] {
        do {
            return try push.map { try PushRule($0) }
        } catch {
            throw ValidationError("--push: \(error)")
        }
    }
}
