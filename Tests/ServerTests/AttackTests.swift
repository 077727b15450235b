import Foundation
import NIOCore
import RTMP
import TestSupport
import Testing

/// Attacks of strangers: after each one the server is alive, its memory is back, and the stream
/// beside it is complete.
@Suite(.serialized, .timeLimit(.minutes(3)), .enabled(if: Shell.millrace != nil, "not built"))
struct AttackTests {
    /// Bytes of memory that an attack may leave behind: memory that the allocator keeps, and its
    /// own caches.
    private static let keptBytes = 64 << 20
    /// Whether the delays of the stream beside an attack are judged too: only on a quiet machine,
    /// never in a test run of CI.
    private static let judgesDelays =
        ProcessInfo.processInfo.environment["MILLRACE_MEASURE"] != nil

    @Test(arguments: Attack.handshakeAndMessages + Attack.streams + Attack.packaging)
    func aServerSurvives(_ attack: Attack) async throws {
        let victim = try await Victim(
            ["serve", "--rtmp-port", "0", "--http-port", "0", "-q"] + attack.options,
            stackKiB: attack.stackKiB)
        let bystander = Bystander()
        let port = try victim.port("rtmp")
        async let measured = bystander.run(port: port)
        try await eventually("the stream beside runs") { bystander.receivedFrames >= 50 }
        bystander.attackBegins()
        let target = Attack.Target(rtmp: port, http: try victim.port("http"))
        do {
            try await attack.run(target)
        } catch {
            Issue.record("\(attack): \(error); \(victim.log.suffix(600))")
        }
        bystander.end()
        let delays = try await measured
        let (before, beside) = (
            Bystander.Delays.percentile99(delays.before),
            Bystander.Delays.percentile99(delays.beside)
        )
        var grown = 0
        try await eventually("the memory of the attack is given back", within: .seconds(60)) {
            grown = try victim.grownBytes()
            return grown <= Self.keptBytes
        }
        print(
            "\(attack): p99 \(before.rounded()) ms before, \(beside.rounded()) ms beside; \(grown >> 10) KiB more memory"
        )
        if Self.judgesDelays { #expect(beside <= 2 * before, "\(attack)") }
        try await victim.stop()
    }
}

/// One attack: the messages that it sends, and the kind of server.
struct Attack: Sendable, CustomTestStringConvertible, CustomStringConvertible {
    struct Target: Sendable {
        var rtmp: Int
        var http: Int
    }

    var name: String
    /// Options of the server besides its ports.
    var options: [String] = []
    var stackKiB: Int?
    var run: @Sendable (Target) async throws -> Void

    var description: String { name }
    var testDescription: String { name }

    init(
        _ name: String, _ options: [String] = [], stackKiB: Int? = nil,
        run: @escaping @Sendable (Target) async throws -> Void
    ) {
        self.name = name
        self.options = options
        self.stackKiB = stackKiB
        self.run = run
    }

    static let segments = ["--hls", "ts"]
    static let parts = ["--hls", "fmp4", "--hls-part", "500ms"]
}

extension Attack {
    /// Repeats `body` for this number of seconds, or until it reports that the server has closed.
    static func repeating(
        seconds: Double, _ body: () async throws -> Bool
    ) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end, try await body() {}
    }
}
