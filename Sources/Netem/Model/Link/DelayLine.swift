import DequeModule
import HeapModule

/// Packets that have passed the rate and wait for their delay, in the order in which they will
/// leave.
struct DelayLine: Sendable {
    struct Entry: Sendable, Comparable {
        var packet: LinkPacket
        var leaves: Int64
        /// Number of the packet's entry, which orders packets of the same time.
        var number: UInt64
        var isCopy: Bool

        static func == (a: Self, b: Self) -> Bool { a.leaves == b.leaves && a.number == b.number }
        static func < (a: Self, b: Self) -> Bool {
            a.leaves != b.leaves ? a.leaves < b.leaves : a.number < b.number
        }
    }

    /// Whether packets leave in the order in which they entered.
    private let isFIFO: Bool
    private var fifo = Deque<Entry>()
    private var heap = Heap<Entry>()
    private var entered: UInt64 = 0
    private var last = Int64.min

    init(keepsOrder: Bool) { isFIFO = keepsOrder }

    /// Time at which the next packet leaves.
    var next: Int64? { isFIFO ? fifo.first?.leaves : heap.min?.leaves }

    var entries: [Entry] { isFIFO ? Array(fifo) : heap.unordered }

    @inline(__always)
    mutating func enter(_ packet: LinkPacket, leaves: Int64, isCopy: Bool = false) {
        entered &+= 1
        if isFIFO {
            last = max(last, leaves)
            fifo.append(Entry(packet: packet, leaves: last, number: entered, isCopy: isCopy))
        } else {
            heap.insert(Entry(packet: packet, leaves: leaves, number: entered, isCopy: isCopy))
        }
    }

    @inline(__always)
    mutating func leave(until instant: Int64) -> Entry? {
        if isFIFO {
            guard let first = fifo.first, first.leaves <= instant else { return nil }
            return fifo.removeFirst()
        }
        guard let first = heap.min, first.leaves <= instant else { return nil }
        return heap.removeMin()
    }
}
