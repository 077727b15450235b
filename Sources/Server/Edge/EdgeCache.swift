/// Values by key within a limit of bytes; the least recently used value is removed first. The cache
/// does no I/O and reads no clock: times are nanoseconds of any one clock.
struct EdgeCache<Value> {
    private struct Node {
        var key: String
        var value: Value
        var cost: Int
        var expiry: Int64
        var newer: Int?
        var older: Int?
    }

    /// Bytes that an entry takes besides its value and key.
    static var overhead: Int { 512 }

    let byteLimit: Int
    private(set) var byteCount = 0
    private var places: [String: Int] = [:]
    private var nodes: [Node?] = []
    private var free: [Int] = []
    private var newest: Int?
    private var oldest: Int?

    init(byteLimit: Int) { self.byteLimit = byteLimit }

    var count: Int { places.count }

    /// Returns the value unless it has expired, and marks it as the most recently used.
    mutating func value(for key: String, at now: Int64) -> Value? {
        guard let place = places[key], let node = nodes[place] else { return nil }
        guard node.expiry > now else {
            remove(place)
            return nil
        }
        unlink(place)
        link(place)
        return node.value
    }

    /// Keeps a value of `bytes` until `expiry`, and returns the values that were removed for it. A
    /// value that is larger than the whole cache is not kept.
    mutating func insert(
        _ value: Value, for key: String, bytes: Int, expiry: Int64
    ) -> [Value] {
        if let old = places[key] { remove(old) }
        let cost = bytes + key.utf8.count + Self.overhead
        guard cost <= byteLimit else { return [] }
        let node = Node(key: key, value: value, cost: cost, expiry: expiry)
        let place: Int
        if let reused = free.popLast() {
            place = reused
            nodes[place] = node
        } else {
            place = nodes.count
            nodes.append(node)
        }
        places[key] = place
        byteCount += cost
        link(place)
        var evicted: [Value] = []
        while byteCount > byteLimit, let last = oldest, last != place {
            if let node = nodes[last] { evicted.append(node.value) }
            remove(last)
        }
        return evicted
    }

    private mutating func remove(_ place: Int) {
        guard let node = nodes[place] else { return }
        unlink(place)
        byteCount -= node.cost
        places[node.key] = nil
        nodes[place] = nil
        free.append(place)
    }

    private mutating func link(_ place: Int) {
        nodes[place]?.newer = nil
        nodes[place]?.older = newest
        if let newest { nodes[newest]?.newer = place }
        newest = place
        if oldest == nil { oldest = place }
    }

    private mutating func unlink(_ place: Int) {
        let newer = nodes[place]?.newer
        let older = nodes[place]?.older
        if let newer { nodes[newer]?.older = older } else { newest = older }
        if let older { nodes[older]?.newer = newer } else { oldest = newer }
    }
}
