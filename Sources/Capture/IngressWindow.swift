/// The latest messages that a publisher sent to the server, by content.
struct IngressWindow {
    struct Entry {
        var hash: UInt64
        var time: Int64
        var isVideo: Bool
        /// Number of the message among those of its kind, from 0.
        var ordinal: Int
        /// Index of the next message of the same kind, once there is one.
        var nextOfKind: Int?
    }

    /// Time in nanoseconds after which a content that occurs again is taken for a loop of the
    /// source: its latest copy then counts as the one relayed.
    static let loopLimit: Int64 = 5_000_000_000

    private struct Occurrence {
        var count = 1
        var last: Int
        var lastTime: Int64
        /// Whether the previous copy came more than `loopLimit` earlier, or there was none.
        var isApart = true
    }

    private let limit: Int
    private var entries: [Entry] = []
    private var byHash: [UInt64: Occurrence] = [:]
    /// Number of messages ever added; indices count all of them, and the window holds the latest.
    private(set) var end = 0
    private var lastOfKind: [Int?] = [nil, nil]
    private var counts = [0, 0]

    init(limit: Int) {
        self.limit = max(1, limit)
    }

    var isEmpty: Bool { end == 0 }
    private var start: Int { max(0, end - limit) }

    subscript(index: Int) -> Entry? {
        index >= start && index < end ? entries[index % limit] : nil
    }

    /// Index of a content that is in the window once, or that has its latest copy far from the one
    /// before (`isLooped`).
    func anchor(of hash: UInt64) -> (index: Int, isLooped: Bool)? {
        guard let occurrence = byHash[hash], occurrence.isApart else { return nil }
        return (occurrence.last, occurrence.count > 1)
    }

    mutating func append(hash: UInt64, time: Int64, isVideo: Bool) {
        let kind = isVideo ? 1 : 0
        if let last = lastOfKind[kind], last >= start { entries[last % limit].nextOfKind = end }
        let entry = Entry(hash: hash, time: time, isVideo: isVideo, ordinal: counts[kind])
        if entries.count < limit {
            entries.append(entry)
        } else {
            forget(entries[end % limit].hash)
            entries[end % limit] = entry
        }
        var occurrence = Occurrence(last: end, lastTime: time)
        if let known = byHash[hash] {
            occurrence.count += known.count
            occurrence.isApart = time &- known.lastTime > Self.loopLimit
        }
        byHash[hash] = occurrence
        lastOfKind[kind] = end
        counts[kind] += 1
        end += 1
    }

    private mutating func forget(_ hash: UInt64) {
        guard var occurrence = byHash[hash] else { return }
        occurrence.count -= 1
        byHash[hash] = occurrence.count > 0 ? occurrence : nil
    }
}
