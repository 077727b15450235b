import NetemShell
import Testing

@Suite struct AddressTests {
    @Test func text() {
        #expect(IPv4Address(100, 64, 0, 1).advanced(by: 255).description == "100.64.1.0")
    }
}
