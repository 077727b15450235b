import Foundation
import Glibc
import Netem
import SimulationKernel
import Testing

@testable import NetemShell

/// Whether the tests can make namespaces and devices on this machine.
let isShellAvailable = geteuid() == 0 && ShellPrivilege.obstacle(asRoot: true) == nil

/// Real datagrams pass the links. Nothing here depends on the machine's speed: the tests check
/// which packets each party gets, and that all packets are accounted for.
@Suite(
    .enabled(if: isShellAvailable, "needs root and /dev/net/tun"), .serialized,
    .timeLimit(.minutes(2)))
struct ShellNetworkTests {
    /// Makes a datagram socket at `address`, which stops waiting after five seconds.
    private func socket(
        at address: IPv4Address, in namespace: NetworkNamespace
    ) throws -> (descriptor: Int32, port: UInt16) {
        try namespace.perform {
            let descriptor = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            var value = Self.address(address, 0)
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let bound = withUnsafeMutablePointer(to: &value) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
                }
            }
            guard bound else { throw ShellError("cannot bind to \(address)") }
            var time = timeval(tv_sec: 5, tv_usec: 0)
            // A reader that is late loses nothing.
            var room: Int32 = 8 << 20
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &room,
                socklen_t(MemoryLayout<Int32>.size))
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
            return (descriptor, UInt16(bigEndian: value.sin_port))
        }
    }

    private static func address(_ address: IPv4Address, _ port: UInt16) -> sockaddr_in {
        var value = sockaddr_in()
        value.sin_family = sa_family_t(AF_INET)
        value.sin_port = port.bigEndian
        value.sin_addr.s_addr = address.rawValue.bigEndian
        return value
    }

    private func send(
        _ descriptor: Int32, _ bytes: [UInt8], to address: IPv4Address, _ port: UInt16
    ) {
        let value = Self.address(address, port)
        let sent = withUnsafePointer(to: value) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(
                    descriptor, bytes, bytes.count, 0, $0,
                    socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        #expect(sent == bytes.count)
    }

    private func receive(_ descriptor: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 2048)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count < 0 ? nil : Array(bytes[..<count])
    }

    /// Each of 100 viewers gets the packets that are sent to it, on its own link, and answers on
    /// its own.
    @Test func viewersAreKeptApart() throws {
        let count = 100
        let spec = LinkSpec(delay: DelayModel(nanoseconds: 1_000_000))
        let network = try ShellNetwork(
            viewers: (0..<count).map {
                .init(address: ShellNetwork.viewer($0), down: spec, up: spec)
            })
        let server = try socket(at: ShellNetwork.server, in: network.outside)
        defer { close(server.descriptor) }
        var viewers: [(descriptor: Int32, port: UInt16)] = []
        defer { for viewer in viewers { close(viewer.descriptor) } }
        for i in 0..<count {
            viewers.append(try socket(at: ShellNetwork.viewer(i), in: network.inside))
        }
        for i in 0..<count {
            for part in 0..<UInt8(1 + i % 3) {
                send(
                    server.descriptor, [UInt8(i), part], to: ShellNetwork.viewer(i),
                    viewers[i].port)
            }
        }
        for i in 0..<count {
            for part in 0..<UInt8(1 + i % 3) {
                #expect(receive(viewers[i].descriptor) == [UInt8(i), part])
            }
            send(viewers[i].descriptor, [UInt8(i)], to: ShellNetwork.server, server.port)
        }
        var heard = Set<UInt8>()
        for _ in 0..<count { heard.formUnion(receive(server.descriptor) ?? []) }
        #expect(heard.count == count)
        // A neighbour that is no viewer gets nothing.
        send(server.descriptor, [1], to: ShellNetwork.viewer(count), 9)
        send(server.descriptor, [1], to: ShellNetwork.viewer(0), viewers[0].port)
        #expect(receive(viewers[0].descriptor) == [1])
        let report = try network.stop()
        #expect(report.strays == 1)
        for (i, viewer) in report.viewers.enumerated() {
            #expect(viewer.address == ShellNetwork.viewer(i))
            let extra = i == 0 ? 1 : 0
            #expect(viewer.down.counters.arrived.packets == 1 + i % 3 + extra)
            #expect(viewer.up.counters.arrived.packets == 1)
            #expect(viewer.down.balances && viewer.up.balances)
        }
    }

    /// With losses, drops, copies and reordering, the packets that leave by the model are the
    /// packets that arrive, and the log replays to the same.
    @Test func realPacketsFollowTheModel() throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("millrace-shell-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var down = LinkSpec(
            loss: .gilbertElliott(p: 0.05, r: 0.3),
            rate: .constant(Bitrate(kilobitsPerSecond: 20_000)),
            queue: .dropTail(.packets(50)),
            delay: DelayModel(
                nanoseconds: 5_000_000, jitterNanoseconds: 2_000_000, distribution: .normal,
                keepsOrder: false))
        down.duplicate = 0.1
        down.reorder = 0.05
        let up = LinkSpec()
        let network = try ShellNetwork(
            viewers: [.init(address: ShellNetwork.viewer(0), down: down, up: up, seed: 11)],
            logs: (
                .init(path: "\(directory)/down.csv", title: "test", options: []),
                .init(path: "\(directory)/up.csv", title: "test", options: [])
            ))
        let server = try socket(at: ShellNetwork.server, in: network.outside)
        let viewer = try socket(at: ShellNetwork.viewer(0), in: network.inside)
        defer {
            close(server.descriptor)
            close(viewer.descriptor)
        }
        let packets = 400
        let payload = [UInt8](repeating: 7, count: 1000)
        for _ in 0..<packets {
            send(server.descriptor, payload, to: ShellNetwork.viewer(0), viewer.port)
        }
        // The last packet is sent again and again until one gets through: then all packets before
        // it have left.
        var arrived = 0
        var last = false
        while !last {
            send(server.descriptor, [1], to: ShellNetwork.viewer(0), viewer.port)
            while let bytes = receive(viewer.descriptor) {
                arrived += 1
                if bytes == [1] {
                    last = true
                    break
                }
            }
        }
        usleep(50_000)
        let report = try network.stop()
        while recv(viewer.descriptor, nil, 0, Int32(MSG_DONTWAIT)) >= 0 { arrived += 1 }
        let counters = try #require(report.viewers.first?.down.counters)
        #expect(counters.arrived.packets > packets)
        #expect(counters.lost.packets > 0 && counters.dropped.packets > 0)
        #expect(counters.duplicated.packets > 0)
        #expect(counters.departed.packets == arrived)
        #expect(report.viewers[0].down.balances && report.viewers[0].up.balances)
        #expect(report.refused == 0 && report.overflows == 0)

        let path = "\(directory)/down.csv"
        let log = try LinkLog(parsing: TraceReader.contents(ofFile: path), file: path)
        #expect(log.unitNanoseconds == 1)
        let replay = try LinkReplay(log, through: down, seed: 11)
        #expect(replay.mismatches == 0, "\(replay.differences)")
        #expect(replay.arrivals == counters.arrived.packets)
        #expect(replay.departures == counters.departed.packets)
        let other = try LinkReplay(log, through: down, seed: 12)
        #expect(other.mismatches > 0)
    }

    /// In a burst beyond anything that the link carries, each packet is dropped by the model, or by
    /// the kernel, and then it is reported.
    @Test func burstsDoNotVanish() throws {
        let down = LinkSpec(
            rate: .constant(Bitrate(kilobitsPerSecond: 2000)), queue: .dropTail(.packets(10)))
        let network = try ShellNetwork(
            viewers: [
                .init(address: ShellNetwork.viewer(0), down: down, up: LinkSpec())
            ])
        let server = try socket(at: ShellNetwork.server, in: network.outside)
        let viewer = try socket(at: ShellNetwork.viewer(0), in: network.inside)
        defer {
            close(server.descriptor)
            close(viewer.descriptor)
        }
        var sent = 3000
        let payload = [UInt8](repeating: 7, count: 500)
        for _ in 0..<sent {
            send(server.descriptor, payload, to: ShellNetwork.viewer(0), viewer.port)
        }
        var last = false
        while !last {
            send(server.descriptor, [1], to: ShellNetwork.viewer(0), viewer.port)
            sent += 1
            while let bytes = receive(viewer.descriptor), !last { last = bytes == [1] }
        }
        let report = try network.stop()
        let counters = report.viewers[0].down.counters
        #expect(counters.arrived.packets + report.kernelDrops == sent)
        #expect(report.kernelDrops == 0 || !report.lossReasons.isEmpty)
        #expect(counters.dropped.packets > 1000)
    }

    /// The network refuses a link that cannot be built, and reports memory that runs out.
    @Test func refusals() throws {
        let network = try ShellNetwork(
            viewers: [
                .init(
                    address: ShellNetwork.viewer(0), down: LinkSpec(loss: .bernoulli(2)),
                    up: .init())
            ])
        #expect(throws: LinkError.self) { try network.stop() }
        let twice = PacketShell.Viewer(
            address: ShellNetwork.viewer(0), down: .init(), up: .init())
        let doubled = try ShellNetwork(viewers: [twice, twice])
        #expect(throws: ShellError.self) { try doubled.stop() }

        var options = PacketShell.Options()
        options.largestPackets = 4
        let slow = LinkSpec(delay: DelayModel(nanoseconds: 3_600_000_000_000))
        let small = try ShellNetwork(
            viewers: [.init(address: ShellNetwork.viewer(0), down: slow, up: slow)],
            options: options)
        let server = try socket(at: ShellNetwork.server, in: small.outside)
        defer { close(server.descriptor) }
        for _ in 0..<10 { send(server.descriptor, [1], to: ShellNetwork.viewer(0), 9) }
        // The pipe's end is read after the packets before it.
        usleep(100_000)
        let report = try small.stop()
        #expect(report.viewers[0].down.inside.packets == 4)
        #expect(report.overflows == 6)
        #expect(!report.voidReasons.isEmpty)
        #expect(report.viewers[0].down.balances)
    }
}
