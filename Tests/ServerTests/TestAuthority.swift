import Foundation
import TestSupport
import Testing

@testable import Server

/// A private authority and its certificates, made by openssl in a folder of its own.
final class TestAuthority {
    let directory: String

    /// Path of the authority's own certificate, for clients.
    var authority: String { "\(directory)/ca.pem" }

    init() async throws {
        directory = Shell.temporaryPath("tls")
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        try await openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "36500", "-subj", "/CN=Millrace test authority", "-keyout",
            "\(directory)/ca.key", "-out", authority)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    private func openssl(_ arguments: String...) async throws {
        let result = try await Shell.run(["openssl"] + arguments)
        try #require(result.status == 0, "\(result.errors)")
    }

    /// Makes a certificate for 127.0.0.1 and localhost.
    func issue(_ name: String = "server") async throws -> TLSFilesOfTest {
        let base = "\(directory)/\(name)"
        try "subjectAltName=IP:127.0.0.1,DNS:localhost\n".write(
            toFile: "\(base).ext", atomically: true, encoding: .utf8)
        try await openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            "/CN=\(name)", "-keyout", "\(base).key", "-out", "\(base).csr")
        try await openssl(
            "x509", "-req", "-in", "\(base).csr", "-CA", authority, "-CAkey",
            "\(directory)/ca.key", "-CAcreateserial", "-days", "36500", "-extfile",
            "\(base).ext", "-out", "\(base).pem")
        return TLSFilesOfTest(certificate: "\(base).pem", key: "\(base).key")
    }
}

/// The files of one certificate.
struct TLSFilesOfTest {
    var certificate: String
    var key: String
}

extension Shell {
    /// Path of the program itself, built beside the tests.
    static let millrace: String? = {
        let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        for directory in [bundle, Bundle.main.bundleURL].flatMap({
            [$0, $0.deletingLastPathComponent()]
        }) {
            let path = directory.appendingPathComponent("millrace").path
            var isDirectory: ObjCBool = false
            if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory),
                !isDirectory.boolValue
            {
                return path
            }
        }
        return nil
    }()
}
