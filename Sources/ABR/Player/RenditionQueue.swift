/// The renditions of the buffered segments, oldest first, in a ring that grows with the buffer.
struct RenditionQueue: Sendable {
    private var storage = [UInt8](repeating: 0, count: 8)
    private var head = 0
    private(set) var count = 0

    @inline(__always)
    var first: Int? { count == 0 ? nil : Int(storage[head]) }

    mutating func append(_ rendition: Int) {
        if count == storage.count {
            let renditions = (0..<count).map { storage[(head + $0) & (storage.count - 1)] }
            storage = renditions + [UInt8](repeating: 0, count: count)
            head = 0
        }
        storage[(head + count) & (storage.count - 1)] = UInt8(rendition)
        count += 1
    }

    @inline(__always)
    mutating func removeFirst() {
        head = (head + 1) & (storage.count - 1)
        count -= 1
    }

    mutating func removeAll() {
        head = 0
        count = 0
    }
}

/// The buffered segments of a player, including those that lack media.
struct BufferedSegments: Sendable {
    private var renditions = RenditionQueue()
    /// Media that segments lack (ms), by their number among all segments ever buffered; mostly
    /// empty.
    private var shortfalls: [Int: Double] = [:]
    private var passed = 0

    @inline(__always) var first: Int? { renditions.first }
    var hasGaps: Bool { !shortfalls.isEmpty }

    /// Media that the first segment lacks (ms).
    @inline(__always) var lackingOfFirst: Double {
        shortfalls.isEmpty ? 0 : shortfalls[passed] ?? 0
    }

    mutating func append(_ rendition: Int) { renditions.append(rendition) }

    /// Notes the amount of media that the last appended segment lacks (ms).
    mutating func markLast(lacking: Double) { shortfalls[passed + renditions.count - 1] = lacking }

    @inline(__always)
    mutating func removeFirst() {
        if !shortfalls.isEmpty { shortfalls[passed] = nil }
        renditions.removeFirst()
        passed += 1
    }

    mutating func removeAll() {
        passed += renditions.count
        renditions.removeAll()
        shortfalls.removeAll()
    }
}
