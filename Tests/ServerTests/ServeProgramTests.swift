import Foundation
import Glibc
import NIOCore
import RTMP
import TestSupport
import Testing

/// Tests of `millrace serve` as an operator's process, with its signals and its user.
@Suite(.timeLimit(.minutes(1)), .enabled(if: Shell.millrace != nil, "millrace is not built"))
struct ServeProgramTests {
    private func answer(_ victim: Victim, key: String) async throws -> String {
        let peer = try await RTMPPeer(port: try victim.port("rtmp"))
        let code = try await peer.publish("cam?key=\(key)").code
        if code == "NetStream.Publish.Start" { try await peer.unpublish("cam") }
        peer.socket.close()
        return code
    }

    @Test func hangupReadsKeysAgain() async throws {
        let file = Shell.temporaryPath("keys")
        defer { try? FileManager.default.removeItem(atPath: file) }
        try "cam:first\n".write(toFile: file, atomically: true, encoding: .utf8)
        let victim = try await Victim(
            ["serve", "--rtmp-port", "0", "--http-port", "0", "--stream-keys", file])
        #expect(try await answer(victim, key: "first") == "NetStream.Publish.Start")
        try "cam:second\n".write(toFile: file, atomically: true, encoding: .utf8)
        #expect(kill(victim.process.processIdentifier, SIGHUP) == 0)
        try await eventually("the file is read again") { victim.log.contains("read again") }
        #expect(try await answer(victim, key: "second") == "NetStream.Publish.Start")
        #expect(try await answer(victim, key: "first") != "NetStream.Publish.Start")
        // A file that cannot be used is reported, and the keys in use stay.
        try "cam:\n".write(toFile: file, atomically: true, encoding: .utf8)
        #expect(kill(victim.process.processIdentifier, SIGHUP) == 0)
        try await eventually("the fault is told") { victim.log.contains("stay in use") }
        #expect(try await answer(victim, key: "second") == "NetStream.Publish.Start")
        try await victim.stop()
    }

    @Test(arguments: [SIGINT, SIGQUIT]) func signalsEndItInOrder(signal: Int32) async throws {
        let victim = try await Victim(["serve", "--rtmp-port", "0", "--http-port", "0"])
        let player = try await RTMPPeer(port: try victim.port("rtmp"))
        try await player.play("a")
        #expect(kill(victim.process.processIdentifier, signal) == 0)
        while try await player.next() != nil {}
        try await eventually("the program ends") { !victim.isAlive }
        #expect(victim.process.terminationReason == .exit)
        #expect(victim.process.terminationStatus == 0)
    }

    @Test(.enabled(if: geteuid() == 0 && getpwnam("nobody") != nil, "only root becomes another"))
    func itBecomesAnotherUser() async throws {
        let victim = try await Victim(
            ["serve", "--rtmp-port", "0", "--http-port", "0", "--user", "nobody"])
        let path = "/proc/\(victim.process.processIdentifier)/status"
        let status = try String(contentsOfFile: path, encoding: .utf8)
        let nobody = try #require(getpwnam("nobody")).pointee.pw_uid
        #expect(status.contains("Uid:\t\(nobody)\t\(nobody)\t\(nobody)\t\(nobody)\n"))
        let peer = try await RTMPPeer(port: try victim.port("rtmp"))
        #expect(try await peer.publish("a").code == "NetStream.Publish.Start")
        try await victim.stop()
    }
}
