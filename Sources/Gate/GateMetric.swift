import Glibc

/// A figure of a run that the gate compares between the base and the head.
///
/// Each block gives one value, its worsening: how much worse the head is than the base. For a
/// ratio it is the natural logarithm of the ratio of the two figures, for a difference it is their
/// difference in the metric's unit. It is positive if the head is worse, whatever the direction of
/// the metric.
package struct GateMetric: Codable, Hashable, Sendable {
    package enum Direction: String, Codable, Hashable, Sendable {
        case lowerIsBetter = "lower_is_better"
        case higherIsBetter = "higher_is_better"
    }

    package enum Kind: String, Codable, Hashable, Sendable {
        /// The figures are above 0, and their ratio is compared.
        case ratio
        /// The figures may be 0 or negative, and their difference is compared. This is for metrics
        /// that are 0 in many runs, such as stalls.
        case difference
    }

    private enum CodingKeys: String, CodingKey {
        case name, title, unit, direction, kind
        case allowedChange = "allowed_change"
    }

    /// Largest magnitude of a figure of a difference.
    static let largestFigure = 1e150

    /// Name of the figure in the runs' results, in snake case.
    package var name: String
    /// Name for people, without its unit.
    package var title: String
    package var unit: String
    package var direction: Direction
    package var kind: Kind
    /// The change δ for the worse that the gate allows: a share for a ratio (0.05 allows a factor of
    /// 1.05), an amount in the metric's unit for a difference. It is at least 0.
    package var allowedChange: Double

    package init(
        name: String, title: String, unit: String, direction: Direction = .lowerIsBetter,
        kind: Kind = .ratio, allowedChange: Double = 0.05
    ) {
        self.name = name
        self.title = title
        self.unit = unit
        self.direction = direction
        self.kind = kind
        self.allowedChange = allowedChange
    }

    /// The metrics of a gate that declares none.
    package static let standard = [
        GateMetric(name: "delay_p99_ms", title: "p99 delay", unit: "ms"),
        GateMetric(
            name: "server_cpu_s_per_gigabit", title: "server CPU per gigabit", unit: "s/Gbit"),
        GateMetric(
            name: "viewer_cpu_s_per_gigabit", title: "viewer CPU per gigabit", unit: "s/Gbit"),
        GateMetric(
            name: "capacity_viewers", title: "capacity", unit: "viewers",
            direction: .higherIsBetter),
        GateMetric(
            name: "stall_ratio", title: "stall ratio", unit: "of the time", kind: .difference,
            allowedChange: 0.005),
    ]

    /// Says what is wrong with the metric; nil if it can be compared.
    package var fault: String? {
        if name.isEmpty || title.isEmpty { return "a metric needs a name and a title" }
        let largest = kind == .ratio ? 10 : Self.largestFigure
        guard allowedChange >= 0, allowedChange <= largest else {
            return "the allowed change of \(name) must be from 0 to \(largest), "
                + "not \(allowedChange)"
        }
        return nil
    }

    /// The worsening of a block in which the head is worse by exactly the allowed change.
    package var margin: Double { worsening(ofChange: allowedChange) }

    /// Turns a change for the worse into a worsening. A ratio's change above −1 is a share.
    package func worsening(ofChange change: Double) -> Double {
        kind == .ratio ? log1p(change) : change
    }

    /// Turns a worsening into a change for the worse: a share for a ratio, an amount for a
    /// difference.
    package func change(ofWorsening worsening: Double) -> Double {
        kind == .ratio ? expm1(worsening) : worsening
    }

    /// Turns a worsening into the figure that people read: head divided by base for a ratio, head
    /// minus base for a difference.
    ///
    /// - Returns: nil if the figure is not a finite number.
    package func figure(ofWorsening worsening: Double) -> Double? {
        let signed = direction == .lowerIsBetter ? worsening : -worsening
        let figure = kind == .ratio ? exp(signed) : signed
        return figure.isFinite ? figure : nil
    }

    /// Computes the worsening of one block from the figures of its two runs; nil = no figure.
    ///
    /// - Throws: `GateFault` with the reason if the two figures cannot be compared.
    package func worsening(base: Double?, head: Double?) throws(GateFault) -> Double {
        let (base, head) = (try checked(base, .base), try checked(head, .head))
        let change = kind == .ratio ? log(head) - log(base) : head - base
        return direction == .lowerIsBetter ? change : -change
    }

    private func checked(_ figure: Double?, _ side: GateSide) throws(GateFault) -> Double {
        guard let figure else { throw GateFault("the \(side.rawValue) has no figure of \(name)") }
        guard figure.isFinite else {
            throw GateFault("the \(side.rawValue)'s \(name) is \(figure), which is no number")
        }
        switch kind {
        case .ratio:
            guard figure > 0 else {
                throw GateFault(
                    "the \(side.rawValue)'s \(name) is \(figure), and a ratio needs figures "
                        + "above 0: declare the metric as a difference")
            }
        case .difference:
            guard figure.magnitude <= Self.largestFigure else {
                throw GateFault("the \(side.rawValue)'s \(name) is \(figure), which is too large")
            }
        }
        return figure
    }
}

/// One of the two things that a gate compares.
package enum GateSide: String, Codable, Hashable, Sendable {
    /// What the head must not be worse than.
    case base
    /// What is judged.
    case head
}
