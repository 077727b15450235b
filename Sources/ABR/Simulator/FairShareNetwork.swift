import Netem

/// Transfers that share links at flow level: several audiences share the limit of an origin.
///
/// The model is fluid: at each instant the audiences' flows share the origin max-min fairly by
/// weight, and none exceeds the limit of its audience's link. Inside an audience all flows progress
/// equally per unit of weight, so one clock of service per unit of weight represents all of them
/// (as in generalised processor sharing): a flow ends when that clock reaches its tag. A change
/// costs O(log flows + audiences).
struct FairShareNetwork {
    /// Limit on the flows of an audience.
    enum Limit {
        /// All flows share one link.
        case shared(RateSchedule)
        /// Each flow has a link of this capacity; flows have weight 1.
        case each(RateSchedule)
        case none
    }

    private struct Audience {
        var limit: Limit
        var cursor = RateSchedule.Cursor()
        /// Present capacity (bit/ms), and the time at which it changes (s, and ms).
        var capacity = Double.infinity
        var change = 0.0
        var nextChange = Double.infinity
        /// Bits per unit of weight that were served since the audience was last idle.
        var service = 0.0
        var weight = 0.0
        /// Rate in bits per ms and unit of weight.
        var rate = 0.0
        var flows = TagHeap()
        /// Number of bits served in total.
        var served = 0.0

        /// The highest rate per unit of weight that the audience's own link allows.
        var ceiling: Double {
            switch limit {
            case .shared: capacity / weight
            case .each: capacity
            case .none: .infinity
            }
        }

        mutating func update(at time: Double) {
            switch limit {
            case .none: break
            case .shared(let schedule), .each(let schedule):
                (capacity, change) = cursor.capacity(
                    from: time, notBefore: change, in: schedule)
                nextChange = change * 1000
            }
        }
    }

    private var audiences: [Audience]
    private let origin: RateSchedule?
    private var originCursor = RateSchedule.Cursor()
    private var originCapacity = Double.infinity
    /// Time at which the origin's capacity changes (s, and ms).
    private var originChangeSeconds = 0.0
    private var originChange = Double.infinity
    private var clock = 0.0
    private var ratesAreStale = false
    /// Tag of each viewer's flow; NaN if the viewer has no flow.
    private var tags: [Double]
    private var weights: [Double]

    init(origin: RateSchedule?, audiences: [Limit], viewers: Int) {
        self.origin = origin
        self.audiences = audiences.map { Audience(limit: $0) }
        tags = Array(repeating: .nan, count: viewers)
        weights = Array(repeating: 0, count: viewers)
        updateCapacities()
    }

    /// Returns the number of bits that the flows of an audience have received.
    func served(_ audience: Int) -> Double { audiences[audience].served }

    func isActive(_ viewer: Int) -> Bool { !tags[viewer].isNaN }

    /// Returns the number of bits that `viewer`'s flow still needs.
    func remaining(_ viewer: Int, audience: Int) -> Double {
        tags[viewer].isNaN
            ? 0 : max(0, (tags[viewer] - audiences[audience].service) * weights[viewer])
    }

    /// Returns the rate in kbit/s that a new flow of `weight` would get now.
    mutating func share(_ audience: Int, weight: Double) -> Double {
        refresh()
        let others = audiences.reduce(0) { $0 + $1.weight }
        let own: Double =
            switch audiences[audience].limit {
            case .shared: audiences[audience].capacity / (audiences[audience].weight + weight)
            case .each: audiences[audience].capacity
            case .none: .infinity
            }
        return weight * min(own, originCapacity / (others + weight))
    }

    /// Starts a flow of `bits` now.
    mutating func start(_ viewer: Int, audience: Int, bits: Double, weight: Double) {
        precondition(tags[viewer].isNaN, "one flow per viewer")
        let tag = audiences[audience].service + bits / weight
        tags[viewer] = tag
        weights[viewer] = weight
        audiences[audience].flows.insert(tag: tag, viewer: viewer)
        audiences[audience].weight += weight
        ratesAreStale = true
    }

    /// Cancels a flow.
    mutating func cancel(_ viewer: Int, audience: Int) {
        guard isActive(viewer) else { return }
        end(viewer, audience)
        audiences[audience].flows.remove(viewer: viewer)
    }

    private mutating func end(_ viewer: Int, _ audience: Int) {
        tags[viewer] = .nan
        audiences[audience].weight -= weights[viewer]
        ratesAreStale = true
    }

    /// Returns the next time at which a flow ends or a capacity changes (ms).
    mutating func nextEvent() -> Double {
        refresh()
        var next = Double.infinity
        var isBusy = false
        for audience in audiences {
            guard let first = audience.flows.first else { continue }
            isBusy = true
            next = min(next, audience.nextChange)
            if audience.rate > 0 {
                next = min(next, clock + max(0, first.tag - audience.service) / audience.rate)
            }
        }
        return isBusy ? min(next, originChange) : .infinity
    }

    /// Serves the flows up to `time`, which is at most `nextEvent`.
    /// - Returns: a viewer whose flow ends at `time`, if any; call again until there is none.
    mutating func advance(to time: Double) -> Int? {
        refresh()
        let elapsed = time - clock
        if elapsed > 0 {
            for index in audiences.indices where audiences[index].weight > 0 {
                let service = audiences[index].rate * elapsed
                audiences[index].service += service
                audiences[index].served += service * audiences[index].weight
            }
            clock = time
            updateCapacities()
        }
        for index in audiences.indices {
            guard let first = audiences[index].flows.first else { continue }
            // The end of a flow was computed from this clock, so the remaining difference is a
            // rounding error.
            let tolerance = max(
                1e-9 * max(1, first.tag), 2 * clock.ulp * audiences[index].rate)
            guard first.tag - audiences[index].service <= tolerance else { continue }
            audiences[index].service = max(audiences[index].service, first.tag)
            audiences[index].flows.removeFirst()
            end(first.viewer, index)
            if audiences[index].flows.first == nil {
                audiences[index].service = 0
                audiences[index].weight = 0
            }
            return first.viewer
        }
        return nil
    }

    private mutating func updateCapacities() {
        if let origin, clock >= originChange || originCapacity == .infinity {
            (originCapacity, originChangeSeconds) = originCursor.capacity(
                from: clock, notBefore: originChangeSeconds, in: origin)
            originChange = originChangeSeconds * 1000
            ratesAreStale = true
        }
        for index in audiences.indices
        where clock >= audiences[index].nextChange || audiences[index].capacity == .infinity {
            if case .none = audiences[index].limit { continue }
            audiences[index].update(at: clock)
            ratesAreStale = true
        }
    }

    /// Distributes the capacity by water-filling over the audiences that have flows.
    private mutating func refresh() {
        guard ratesAreStale else { return }
        ratesAreStale = false
        var left = originCapacity
        var weight = 0.0
        for index in audiences.indices where audiences[index].weight > 0 {
            audiences[index].rate = -1
            weight += audiences[index].weight
        }
        // Each round settles at least one audience, or all remaining ones.
        for _ in audiences.indices {
            guard weight > 0 else { break }
            let level = max(0, left) / weight
            var settled = false
            for index in audiences.indices
            where audiences[index].weight > 0 && audiences[index].rate < 0 {
                let ceiling = audiences[index].ceiling
                guard ceiling <= level else { continue }
                audiences[index].rate = ceiling
                left -= ceiling * audiences[index].weight
                weight -= audiences[index].weight
                settled = true
            }
            if !settled { break }
        }
        let level = weight > 0 ? max(0, left) / weight : 0
        for index in audiences.indices
        where audiences[index].weight > 0 && audiences[index].rate < 0 {
            audiences[index].rate = level
        }
    }
}

extension RateSchedule.Cursor {
    /// Returns the present capacity (bit/ms) and the time at which it ends (s).
    /// - Parameters:
    ///   - time: ms.
    ///   - change: end of the previous period (s). After the conversion of units, `time` may be an
    ///     ulp before it, and would then stay in that period for ever.
    fileprivate mutating func capacity(
        from time: Double, notBefore change: Double, in schedule: RateSchedule
    ) -> (Double, Double) {
        let seconds = max(time / 1000, change)
        return (rate(at: seconds, in: schedule) / 1000, nextChange(after: seconds, in: schedule))
    }
}

/// Flows ordered by the service at which they end; flows with the same tag end in the order of
/// viewers.
struct TagHeap {
    private var heap: [(tag: Double, viewer: Int)] = []

    var first: (tag: Double, viewer: Int)? { heap.first }

    private func isBefore(_ a: Int, _ b: Int) -> Bool {
        heap[a].tag < heap[b].tag || (heap[a].tag == heap[b].tag && heap[a].viewer < heap[b].viewer)
    }

    mutating func insert(tag: Double, viewer: Int) {
        heap.append((tag, viewer))
        siftUp(heap.count - 1)
    }

    mutating func removeFirst() { remove(at: 0) }

    /// Removes a flow in O(flows), because few downloads are given up.
    mutating func remove(viewer: Int) {
        if let index = heap.firstIndex(where: { $0.viewer == viewer }) { remove(at: index) }
    }

    private mutating func remove(at index: Int) {
        heap.swapAt(index, heap.count - 1)
        heap.removeLast()
        guard index < heap.count else { return }
        siftDown(index)
        siftUp(index)
    }

    private mutating func siftUp(_ index: Int) {
        var child = index
        while child > 0, isBefore(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func siftDown(_ index: Int) {
        var parent = index
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && isBefore(child, least) { least = child }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
