import ArgumentParser
import Sockets

/// Whom a client trusts: the options of all commands that ask servers.
struct TLSOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "PEM file of the authorities to trust with https and rtmps, instead of the system's.",
            valueName: "file"))
    var ca: String?
    @Flag(help: "Do not verify certificates of https and rtmps: anybody may then be the server.")
    var insecure = false

    var trust: TLSTrust { TLSTrust(authorities: ca, verifies: !insecure) }

    func validate() throws {
        guard ca == nil || !insecure else {
            throw ValidationError("--ca and --insecure exclude each other")
        }
    }
}
