import Processes
import Testing

@testable import Scenario

@Suite struct QuantityTests {
    static let table: [(Quantity, String, Double, String)] = [
        (.duration, "4s", 4e9, "4s"), (.duration, "500ms", 5e8, "500ms"),
        (.duration, "1.5s", 15e8, "1500ms"), (.duration, "90s", 90e9, "90s"),
        (.duration, "0s", 0, "0s"), (.bitrate, "3Mbps", 3e6, "3Mbps"),
        (.bitrate, "2628kbps", 2_628_000, "2628kbps"), (.bitrate, "1.5 Mbps", 15e5, "1500kbps"),
        (.byteCount, "64KB", 64e3, "62.5KiB"), (.byteCount, "16MiB", 16_777_216, "16MiB"),
        (.share, "5%", 0.05, "5%"), (.share, "12.5%", 0.125, "12.5%"), (.rate, "50/s", 50, "50/s"),
        (.rate, "120/min", 2, "2/s"),
    ]

    @Test(arguments: table) func reads(
        quantity: Quantity, text: String, value: Double, canonical: String
    ) {
        #expect(quantity.parse(text) == value)
        #expect(quantity.parse(quantity.format(value)) == value)
    }

    @Test(arguments: ["4", "s", "4 s s", "-4s", "4e3s", "1.s", ".5s", "4S", "1:30", "", "٣s"])
    func rejectsWhatIsNoDuration(text: String) {
        #expect(Quantity.duration.parse(text) == nil)
    }

    @Test func cpuLists() {
        #expect(CPUSet(list: "0")?.mask == 1)
        #expect(CPUSet(list: "0-1,3")?.mask == 0b1011)
        #expect(CPUSet(list: "0-1,3")?.description == "0,1,3")
        for bad in ["", "a", "1-", "3-1", "64", "0,,1"] { #expect(CPUSet(list: bad) == nil) }
    }
}
