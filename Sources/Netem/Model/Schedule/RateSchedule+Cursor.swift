extension RateSchedule {
    /// A position in one schedule, for callers that use mostly growing times: amortised O(1) and
    /// without allocation. Times are seconds on the schedule's axis. Binary search finds a time
    /// that went back, or that is far ahead. A cursor belongs to the schedule with which it was
    /// first used.
    ///
    /// Period boundaries are computed from the number of cycles, never summed up, so that results
    /// do not drift; their resolution is that of a `Double` at that time (2 ps after three hours).
    public struct Cursor: Sendable {
        /// Number of periods to walk before a search is cheaper.
        private static let longestWalk = 8

        /// Start and end of the period; none before the first call.
        private var start = Double.infinity
        private var end = -Double.infinity
        private var bitsPerSecond = 0.0
        private var delay = 0.0
        private var lossProbability = 0.0
        private var index = 0
        /// Number of cycles before this one; always a whole number.
        private var cycles = 0.0

        public init() {}

        /// Returns the time at which `bits` have passed if sending starts at `seconds`; infinity
        /// means never.
        public mutating func seconds(
            toMove bits: Double, from seconds: Double, in schedule: RateSchedule
        ) -> Double {
            guard bits > 0, seconds < .infinity else { return seconds }
            seek(seconds, schedule)
            var rest = bits
            var now = max(0, seconds)
            for _ in 0..<Self.longestWalk {
                if bitsPerSecond > 0 {
                    let room = (end - now) * bitsPerSecond
                    if rest <= room { return now + rest / bitsPerSecond }
                    rest -= room
                } else if end == .infinity {
                    return .infinity
                }
                step(schedule)
                now = start
            }
            return search(rest, schedule)
        }

        /// Returns the bits that pass until `seconds`, from the start of the cycle that contains
        /// time 0; the difference of two results is the number of bits that pass between.
        public mutating func capacity(at seconds: Double, in schedule: RateSchedule) -> Double {
            seek(seconds, schedule)
            let cycleBits = schedule.segments[schedule.segments.count - 1].bitsAfter
            return cycles * cycleBits + schedule.segments[index].bitsBefore
                + (max(0, seconds) - start) * bitsPerSecond
        }

        /// Returns the rate in bits per second at `seconds`.
        public mutating func rate(at seconds: Double, in schedule: RateSchedule) -> Double {
            seek(seconds, schedule)
            return bitsPerSecond
        }

        /// Returns the one-way latency at `seconds`, in seconds.
        public mutating func delaySeconds(at seconds: Double, in schedule: RateSchedule) -> Double {
            seek(seconds, schedule)
            return delay
        }

        /// Returns the probability of losing a packet at `seconds`, 0 to 1.
        public mutating func loss(at seconds: Double, in schedule: RateSchedule) -> Double {
            seek(seconds, schedule)
            return lossProbability
        }

        /// Returns the end of the period in force at `seconds`: always later than `seconds`, and
        /// infinity if the period lasts for ever.
        public mutating func nextChange(
            after seconds: Double, in schedule: RateSchedule
        ) -> Double {
            seek(seconds, schedule)
            return end
        }

        /// Moves the cursor so that `seconds` lies in [start, end); times before 0 count as 0.
        @inline(__always)
        private mutating func seek(_ seconds: Double, _ schedule: RateSchedule) {
            if seconds >= start, seconds < end { return }
            relocate(max(0, seconds), schedule)
        }

        private mutating func relocate(_ seconds: Double, _ schedule: RateSchedule) {
            precondition(seconds < RateSchedule.latestSeconds, "a time is less than 2^63 ns")
            if seconds >= end, start < .infinity {
                for _ in 0..<Self.longestWalk {
                    step(schedule)
                    if seconds < end { return }
                }
            }
            let onAxis = seconds + schedule.startOffsetSeconds
            cycles =
                schedule.repeats ? (onAxis / schedule.cycleSeconds).rounded(.down) : 0
            let position = onAxis - cycles * schedule.cycleSeconds
            var low = 0
            var high = schedule.segments.count
            while high - low > 1 {
                let middle = (low + high) / 2
                if schedule.segments[middle].startSeconds <= position {
                    low = middle
                } else {
                    high = middle
                }
            }
            settle(low, schedule)
            // The search and the boundaries round differently, by at most one period.
            if seconds >= end {
                step(schedule)
            } else if seconds < start, index > 0 || cycles > 0 {
                if index == 0 { cycles -= 1 }
                settle(index > 0 ? index - 1 : schedule.segments.count - 1, schedule)
            }
            // This happens only if a period is shorter than a Double's resolution at this time.
            if seconds >= end { end = seconds.nextUp }
            if seconds < start { start = seconds }
        }

        /// Moves to the next period.
        @inline(__always)
        private mutating func step(_ schedule: RateSchedule) {
            var next = index + 1
            if next == schedule.segments.count {
                next = 0
                cycles += 1
            }
            settle(next, schedule)
        }

        /// Moves to period `index` of the cycle that `cycles` names.
        private mutating func settle(_ index: Int, _ schedule: RateSchedule) {
            let segment = schedule.segments[index]
            let origin = cycles * schedule.cycleSeconds - schedule.startOffsetSeconds
            self.index = index
            start = origin + segment.startSeconds
            if index + 1 < schedule.segments.count {
                end = origin + segment.endSeconds
            } else if schedule.repeats {
                end = (cycles + 1) * schedule.cycleSeconds - schedule.startOffsetSeconds
            } else {
                end = .infinity
            }
            bitsPerSecond = segment.bitsPerSecond
            delay = segment.delaySeconds
            lossProbability = segment.loss
        }

        /// Returns the time at which `rest` bits have passed from the start of this period on, and
        /// moves there.
        private mutating func search(_ rest: Double, _ schedule: RateSchedule) -> Double {
            let count = schedule.segments.count
            let cycleBits = schedule.segments[count - 1].bitsAfter
            var target = schedule.segments[index].bitsBefore + rest
            if schedule.repeats {
                // A target that is a whole number of cycles is reached inside the last of them.
                let whole = max(0, (target / cycleBits).rounded(.up) - 1)
                cycles += whole
                target -= whole * cycleBits
            }
            var low = 0
            var high = count - 1
            while low < high {
                let middle = (low + high) / 2
                if schedule.segments[middle].bitsAfter >= target {
                    high = middle
                } else {
                    low = middle + 1
                }
            }
            settle(low, schedule)
            guard bitsPerSecond > 0 else { return .infinity }
            return max(start, start + (target - schedule.segments[low].bitsBefore) / bitsPerSecond)
        }
    }
}
