import Netem
import SimulationKernel
import Statistics
import Testing

@testable import NetemShell

@Suite struct ShellReportTests {
    @Test func addresses() {
        #expect(IPv4Address(100, 64, 0, 1).advanced(by: 255).description == "100.64.1.0")
        #expect(IPv4Address(10, 0, 0, 1) < IPv4Address(10, 0, 1, 0))
        #expect(Interface.mask(0) == 0)
        #expect(Interface.mask(30) == 0xFFFF_FFFC)
        #expect(Interface.mask(32) == 0xFFFF_FFFF)
    }

    @Test func voidWhenLate() {
        var report = ShellReport()
        #expect(report.voidReasons.isEmpty)
        for _ in 0..<99 { report.releaseLateness.record(nanoseconds: 4_000_000) }
        #expect(report.voidReasons.isEmpty)
        for _ in 0..<3 { report.releaseLateness.record(nanoseconds: 6_000_000) }
        #expect(report.voidReasons.count == 1)
        #expect(report.voidReasons[0].contains("released late"))
        report.overflows = 2
        report.refused = 1
        #expect(report.voidReasons.count == 3)
    }

    /// The kernel shell refuses settings that it cannot honour, and says which shell can.
    @Test func kernelShellRefuses() throws {
        let rate = RateModel.constant(Bitrate(kilobitsPerSecond: 2000))
        let queue = QueueDiscipline.dropTail(.bytes(64_000))
        let good = LinkSpec(rate: rate, queue: queue, overhead: .l2)
        let checked = try KernelShell.check(good)
        #expect(checked.rate == 2_000_000 && checked.limit == 64_000)
        var lossy = good
        lossy.loss = .bernoulli(0.01)
        var late = good
        late.delay = DelayModel(nanoseconds: 1)
        for spec in [
            lossy, late, LinkSpec(rate: .unlimited, queue: queue, overhead: .l2),
            LinkSpec(rate: rate, queue: .coDel(), overhead: .l2),
            LinkSpec(rate: rate, queue: queue),
        ] {
            let error = #expect(throws: ShellError.self) { try KernelShell.check(spec) }
            #expect(error?.message.contains("packet shell") == true)
        }
    }

    @Test func slotsAreGivenOnce() throws {
        var pool = try PacketPool(capacity: 3)
        let first = pool.take()
        let slots = [first, pool.take(), pool.take()].compactMap { $0 }
        #expect(Set(slots).count == 3 && pool.take() == nil && pool.used == 3)
        pool.giveBack(slots[1])
        let again = pool.take()
        #expect(again == slots[1] && pool.take() == nil)
    }
}
