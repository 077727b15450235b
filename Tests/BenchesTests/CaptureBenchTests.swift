import Capture
import Testing

@testable import Benches

struct CaptureBenchTests {
    @Test("the frames are whole connections, each packet once")
    func frames() throws {
        let room = UnsafeMutableRawBufferPointer.allocate(
            byteCount: LoopbackFrames.stride, alignment: 8)
        defer { room.deallocate() }
        _ = room.initializeMemory(as: UInt8.self, repeating: 0)
        let base = try #require(room.baseAddress)
        var analyzer = CaptureAnalyzer()
        let count = 70_000
        for number in 0..<count {
            let length = LoopbackFrames.write(number, at: base)
            analyzer.packet(
                timestampNanoseconds: 1_700_000_000_000_000_000 + Int64(number) * 5000,
                linkType: .ethernet,
                captured: UnsafeRawBufferPointer(start: base, count: min(length, 128)),
                originalLength: length)
        }
        analyzer.finish()
        let summary = analyzer.report().capture
        #expect(summary.packets == count && summary.understoodPackets == count)
        #expect(summary.duplicates == 0)
        #expect(summary.flows == 64)
        #expect(summary.outOfOrderSegments == 0)
        let port = try #require(summary.ports.first)
        #expect(port.port == LoopbackFrames.serverPort)
        #expect(port.downstream.retransmittedBytes == 0)
        let acknowledgements = port.upstream.bareAcknowledgements
        #expect(port.downstream.packets + acknowledgements == count)
        #expect(acknowledgements == count / 3)
    }

    @Test("the counts that tcpdump and the kernel print")
    func counts() {
        let log = """
            tcpdump: listening on lo, link-type EN10MB (Ethernet), snapshot length 128 bytes
            5999996 packets captured
            12000000 packets received by filter
            4 packets dropped by kernel
            """
        #expect(TcpdumpProcess.count(" captured", in: log) == 5_999_996)
        #expect(TcpdumpProcess.count(" dropped by kernel", in: log) == 4)
        #expect(TcpdumpProcess.count(" captured", in: "tcpdump: no such device") == nil)
        let device = """
            Inter-|   Receive                            |  Transmit
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets
                lo: 1600 12 0 0 0 0 0 0 1600 12 0 0 0 0 0 0
              eth0: 5 7 0 0 0 0 0 0 5 7 0 0 0 0 0 0
            """
        #expect(CaptureBench.loopbackPackets(in: device) == 12)
    }

    @Test("the worst loss and the median ratios are reported, and a slow sender voids the run")
    func report() {
        var options = CaptureBench.Options()
        options.packets = 1_000_000
        options.rate = 100_000
        func tool(_ name: String, _ cpu: Double, lost: Int = 0) -> CaptureBench.Tool {
            CaptureBench.Tool(
                name: name, seen: 1_000_000 - lost, lost: lost, kernelDrops: lost, cpuSeconds: cpu,
                cpuPerMillion: cpu)
        }
        func phase(_ name: String, _ tools: [CaptureBench.Tool], rate: Double = 100_000)
            -> CaptureBench.Phase
        {
            CaptureBench.Phase(
                name: name, round: 1, sent: 1_000_000, delivered: 1_000_000, seconds: 10,
                packetsPerSecond: rate, tools: tools)
        }
        let bench = CaptureBench(options)
        let good = bench.report([
            phase("together", [tool("millrace", 0.3), tool("tcpdump", 0.25)]),
            phase("alone", [tool("millrace", 0.2)]), phase("alone", [tool("tcpdump", 0.4)]),
        ])
        #expect(good.lost == 0 && good.meetsBar == true && good.ratioAlone == 0.5)
        let bad = bench.report([
            phase("together", [tool("millrace", 0.3, lost: 4), tool("tcpdump", 0.3)]),
            phase("alone", [tool("millrace", 0.3)]),
        ])
        #expect(bad.lost == 4 && bad.meetsBar == false && bad.ratioTogether == 1)
        #expect(bad.ratioAlone == nil)
        let slow = bench.report([phase("alone", [tool("millrace", 0.3)], rate: 80_000)])
        #expect(slow.voidReasons.count == 1 && slow.meetsBar == nil)
    }
}
