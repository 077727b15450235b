import Capture
import SimulationKernel
import Testing

struct FuzzTests {
    @Test("damaged captures never trap", arguments: 0..<40)
    func damaged(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var session = CaptureAnalyzerTests.Session()
        for i in 0..<10 { session.relay(i, egressSize: 200) }
        var script = session.script
        // Bytes are changed inside the packets, then in their order, in their lengths, then in the
        // file itself.
        for index in script.packets.indices where Bool.random(using: &generator) {
            let count = script.packets[index].bytes.count
            let offset = Int.random(in: 0..<count, using: &generator)
            script.packets[index].bytes[offset] = UInt8.random(in: 0...255, using: &generator)
            if Int.random(in: 0..<10, using: &generator) == 0 {
                script.packets[index].bytes.removeLast(count / 3)
            }
        }
        if seed % 2 == 0 {
            let other = Int.random(in: 0..<script.packets.count, using: &generator)
            script.packets.swapAt(script.packets.count / 2, other)
            script.packets.remove(at: script.packets.count / 3)
        }
        var file = script.file
        file.withUnsafeBytes { CaptureFuzz.fuzzPcap($0) }
        for _ in 0..<3 {
            let offset = Int.random(in: 0..<file.count, using: &generator)
            file[offset] = UInt8.random(in: 0...255, using: &generator)
        }
        file.withUnsafeBytes { CaptureFuzz.fuzzPcap($0) }
        for end in stride(from: 0, to: file.count, by: 997) {
            file[..<end].withUnsafeBytes { CaptureFuzz.fuzzPcap($0) }
        }
    }
}
