/// Events in virtual time; events of the same instant come in the order of their insertion.
public struct EventQueue<Payload: Sendable>: Sendable {
    private struct Entry {
        var time: Double
        var order: UInt64
        var payload: Payload

        @inline(__always)
        func isBefore(_ other: Entry) -> Bool {
            time < other.time || (time == other.time && order < other.order)
        }
    }

    private var heap: [Entry] = []
    private var inserted: UInt64 = 0

    public init() {}

    public var isEmpty: Bool { heap.isEmpty }
    public var count: Int { heap.count }
    /// Time of the next event; infinite if there is none.
    public var nextTime: Double { heap.isEmpty ? .infinity : heap[0].time }

    /// - Parameter time: Finite time; it must not be NaN.
    public mutating func insert(_ payload: Payload, at time: Double) {
        precondition(time.isFinite, "an event has a finite time")
        inserted += 1
        let entry = Entry(time: time, order: inserted, payload: payload)
        heap.append(entry)
        heap.withUnsafeMutableBufferPointer { heap in
            var child = heap.count - 1
            while child > 0 {
                let parent = (child - 1) >> 2
                guard entry.isBefore(heap[parent]) else { break }
                heap[child] = heap[parent]
                child = parent
            }
            heap[child] = entry
        }
    }

    public mutating func popFirst() -> (time: Double, payload: Payload)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty { siftDown(last) }
        return (first.time, first.payload)
    }

    /// Puts `entry` at the root and restores the order.
    private mutating func siftDown(_ entry: Entry) {
        heap.withUnsafeMutableBufferPointer { heap in
            var parent = 0
            while true {
                let firstChild = (parent << 2) + 1
                guard firstChild < heap.count else { break }
                var least = firstChild
                for child in (firstChild + 1)..<max(firstChild + 1, min(firstChild + 4, heap.count))
                where heap[child].isBefore(heap[least]) {
                    least = child
                }
                guard heap[least].isBefore(entry) else { break }
                heap[parent] = heap[least]
                parent = least
            }
            heap[parent] = entry
        }
    }
}
