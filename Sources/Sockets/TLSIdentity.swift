public import NIOSSL
import Synchronization

/// The certificate and key files of a server, in PEM form.
public struct TLSFiles: Codable, Sendable, Hashable {
    /// The server's certificate first, then the certificates between it and its authority.
    public var certificate: String
    public var key: String

    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

/// A server's certificate and key, which can be read again while it serves.
public final class TLSIdentity: Sendable {
    private let files: TLSFiles
    private let context: Mutex<NIOSSLContext>

    /// - Throws: `TLSError` that names the file and says what is wrong with it.
    public init(_ files: TLSFiles) throws(TLSError) {
        self.files = files
        context = Mutex(try Self.read(files))
    }

    /// Reads the files again, for new connections.
    ///
    /// - Throws: `TLSError`; in this case the old certificate stays in use.
    public func reload() throws(TLSError) {
        let new = try Self.read(files)
        context.withLock { $0 = new }
    }

    /// Makes a handler for one accepted connection.
    public func handler() -> NIOSSLServerHandler {
        NIOSSLServerHandler(context: context.withLock { $0 })
    }

    private static func read(_ files: TLSFiles) throws(TLSError) -> NIOSSLContext {
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMFile(files.certificate)
        } catch {
            throw unreadable(files.certificate, "a certificate", "--tls-certificate", error)
        }
        guard !chain.isEmpty else {
            throw TLSError(
                "'\(files.certificate)' holds no certificate in PEM form; give --tls-certificate a file with -----BEGIN CERTIFICATE-----"
            )
        }
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(file: files.key, format: .pem)
        } catch {
            throw unreadable(files.key, "a private key", "--tls-key", error)
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            let text = "\(error)"
            // A readable key can be refused only because it does not match the certificate.
            throw TLSError(
                text.contains("MISMATCH") || text.contains("failedToLoadPrivateKey")
                    ? "the key in '\(files.key)' does not belong to the certificate in '\(files.certificate)'; give the two files that were made together"
                    : "TLS cannot be set up with '\(files.certificate)' and '\(files.key)': \(text)"
            )
        }
    }

    private static func unreadable(
        _ path: String, _ what: String, _ option: String, _ error: any Error
    ) -> TLSError {
        let reason = fileProblem(path) ?? "it is not in PEM form, or has a passphrase"
        return TLSError(
            "'\(path)' cannot be read as \(what): \(reason); give \(option) another file")
    }
}

extension TLSError {
    /// Explains an error of an accepted connection to the person that runs the server.
    public static func explanation(ofAccepted error: any Error) -> String {
        let text = "\(error)"
        if text.contains("HTTP_REQUEST") || text.contains("WRONG_VERSION_NUMBER") {
            return "the client does not speak TLS on this port"
        }
        if text.contains("EOF during handshake") {
            return "the client left during the handshake"
        }
        if text.contains("UNKNOWN_CA") || text.contains("CERTIFICATE_UNKNOWN")
            || text.contains("BAD_CERTIFICATE")
        {
            return "the client does not trust this server's certificate"
        }
        return "TLS: \(text)"
    }
}
