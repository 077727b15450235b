import NIOCore
public import NIOSSL
import Synchronization

/// Authorities that a TLS client trusts.
public struct TLSTrust: Codable, Sendable, Hashable {
    /// PEM file with the certificates of the authorities that are trusted instead of the system's.
    public var authorities: String?
    /// Whether certificates are verified. Without verification anybody may be the server; this is
    /// for tests with temporary certificates.
    public var verifies = true

    public init(authorities: String? = nil, verifies: Bool = true) {
        self.authorities = authorities
        self.verifies = verifies
    }

    /// Contexts by trust: reading the system's authorities takes time and memory, so equal ones
    /// share a context.
    private static let contexts = Mutex<[TLSTrust: NIOSSLContext]>([:])

    /// - Throws: `TLSError` that says what is wrong with the file.
    public func context() throws -> NIOSSLContext {
        if let known = Self.contexts.withLock({ $0[self] }) { return known }
        let context = try makeContext()
        Self.contexts.withLock { if $0.count < 16 { $0[self] = context } }
        return context
    }

    private func makeContext() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = verifies ? .fullVerification : .none
        if let authorities {
            do {
                let certificates = try NIOSSLCertificate.fromPEMFile(authorities)
                guard !certificates.isEmpty else {
                    throw TLSError("'\(authorities)' holds no certificate in PEM form")
                }
                configuration.trustRoots = .certificates(certificates)
            } catch let error as TLSError {
                throw error
            } catch {
                throw TLSError(
                    "'\(authorities)' cannot be read as certificates in PEM form: \(error)")
            }
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw TLSError("TLS cannot be set up: \(error)")
        }
    }

    /// Makes a handler for a client's connection to `host`. If the host is an address, no server
    /// name (SNI) is sent.
    public static func handler(
        _ context: NIOSSLContext, host: String
    ) throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(context: context, serverHostname: serverName(host))
    }

    static func serverName(_ host: String) -> String? {
        (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
    }
}

/// Reason why a connection has no TLS.
public struct TLSError: Error, Sendable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }

    /// Explains an error of a TLS connection to the person that wanted it.
    ///
    /// - Parameters:
    ///   - authorityOption: Option of the program that names the authorities.
    ///   - mayGiveUp: Whether the program has an option that gives verification up.
    public static func explanation(
        _ error: any Error, authorityOption: String = "--ca", mayGiveUp: Bool = true
    ) -> String {
        let text = "\(error)"
        let otherwise = mayGiveUp ? ", or give verification up (--insecure)" : ""
        if text.contains("CERTIFICATE_VERIFY_FAILED") || text.contains("certificate verify failed")
        {
            return
                "the server's certificate is not trusted: name its authority (\(authorityOption) FILE)\(otherwise)"
        }
        if text.contains("unableToValidateCertificate") || text.contains("hostname")
            || text.contains("failedToValidateHostname")
        {
            return
                "the server's certificate is for another name: ask by the name that it has\(otherwise)"
        }
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
            return "the server does not speak TLS there; is it http:// or rtmp:// on this port?"
        }
        if text.contains("EOF during handshake") || text.contains("eofDuringHandshake") {
            return "the server closed the connection instead of speaking TLS; does it do so there?"
        }
        return "TLS: \(text)"
    }
}
