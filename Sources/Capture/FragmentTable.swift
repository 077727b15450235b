/// Assembles the fragments of IP packets (RFC 791, RFC 8200 4.5), with bounded memory.
struct FragmentTable {
    enum Outcome {
        case waiting
        /// The packet is complete: the values are its payload, its key, the context in which its
        /// walk continues, and the number of captured packets that it came in.
        case whole([UInt8], IPFragment.Key, PacketWalk.Context, headersLength: Int, packets: Int)
        /// The fragment contradicts earlier fragments.
        case refused
    }

    /// Largest payload of an IP packet, in bytes.
    static let packetLimit = 65_535
    static let countLimit = 256
    static let pieceLimit = 256
    /// Time that a packet waits for its other fragments, in nanoseconds.
    static let waitLimit: Int64 = 30_000_000_000

    private struct Assembly {
        var pieces: [Range<Int>] = []
        var bytes: [UInt8] = []
        var received = 0
        var total: Int?
        var packets = 0
        var time: Int64
        var context: PacketWalk.Context
        var headersLength: Int
    }

    private var assemblies: [IPFragment.Key: Assembly] = [:]
    /// Number of captured packets that lacked other fragments until the end.
    private(set) var lostPackets = 0

    /// Number of captured packets that wait.
    var waitingPackets: Int { assemblies.values.reduce(0) { $0 + $1.packets } }

    /// - Parameter packets: Number of captured packets that the fragment came in.
    mutating func add(_ fragment: IPFragment, packets: Int, time: Int64) -> Outcome {
        // A fragment that the snap length has cut can never be used.
        guard fragment.payload.count >= fragment.payloadLength else { return .refused }
        var assembly =
            assemblies.removeValue(forKey: fragment.key)
            ?? Assembly(
                time: time, context: fragment.context, headersLength: fragment.headersLength)
        if time &- assembly.time > Self.waitLimit {
            lostPackets += assembly.packets
            assembly = Assembly(
                time: time, context: fragment.context, headersLength: fragment.headersLength)
        }
        let end = fragment.offset + fragment.payloadLength
        let piece = fragment.offset..<end
        let fits =
            assembly.pieces.count < Self.pieceLimit
            && !assembly.pieces.contains { $0.overlaps(piece) }
            && (assembly.total.map { end <= $0 && !fragment.isLast } ?? true)
            && (!fragment.isLast || assembly.bytes.count <= end)
        guard fits else {
            lostPackets += assembly.packets
            return .refused
        }
        assembly.packets += packets
        assembly.pieces.append(piece)
        assembly.received += fragment.payloadLength
        if fragment.isLast { assembly.total = end }
        if fragment.offset == 0 {
            assembly.context = fragment.context
            assembly.headersLength = fragment.headersLength
        }
        if assembly.bytes.count < end {
            assembly.bytes.append(
                contentsOf: repeatElement(0, count: end - assembly.bytes.count))
        }
        assembly.bytes.withUnsafeMutableBytes { bytes in
            UnsafeMutableRawBufferPointer(rebasing: bytes[piece]).copyMemory(
                from: fragment.payload.upTo(fragment.payloadLength))
        }
        if assembly.received == assembly.total {
            return .whole(
                assembly.bytes, fragment.key, assembly.context,
                headersLength: assembly.headersLength, packets: assembly.packets)
        }
        if assemblies.count >= Self.countLimit { forgetOldest() }
        assemblies[fragment.key] = assembly
        return .waiting
    }

    private mutating func forgetOldest() {
        guard let oldest = assemblies.min(by: { $0.value.time < $1.value.time }) else { return }
        lostPackets += oldest.value.packets
        assemblies[oldest.key] = nil
    }

    /// Ends the capture: no more fragments come.
    mutating func finish() {
        lostPackets += waitingPackets
        assemblies = [:]
    }
}
