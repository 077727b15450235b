import ArgumentParser
import Sockets

/// Options for the certificates that a client trusts. All commands that send requests to servers
/// have them.
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

/// Options for a server's certificate and key. Commands that accept connections over TLS have them.
struct TLSFileOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "PEM file with this server's certificate, then those up to its authority. SIGHUP reads it again.",
            valueName: "file"))
    var tlsCertificate: String?
    @Option(help: ArgumentHelp("PEM file with the certificate's key.", valueName: "file"))
    var tlsKey: String?

    var files: TLSFiles? {
        guard let tlsCertificate, let tlsKey else { return nil }
        return TLSFiles(certificate: tlsCertificate, key: tlsKey)
    }

    func validate() throws {
        guard (tlsCertificate == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-certificate and --tls-key belong together: give both")
        }
    }
}
