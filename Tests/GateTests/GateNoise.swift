import Foundation
import SimulationKernel

@testable import Gate

/// Noise of simulated runs, on the logarithm of their figure.
enum GateNoise: CaseIterable, Sendable {
    case normal
    /// Student's t with three degrees of freedom: some runs lie far out.
    case student
    /// Some runs in a row are slower.
    case bursts
    /// Every run is slower than the one before.
    case drift
    /// The second run of a block is slower.
    case order
}

/// Simulated gates of one metric, `cpu`.
enum SimulatedGate {
    static func metric(allowedChange: Double = 0.05) -> GateMetric {
        GateMetric(name: "cpu", title: "server CPU", unit: "s", allowedChange: allowedChange)
    }

    static func settings(
        allowedChange: Double = 0.05, blocks: Int = 8, seed: UInt64
    ) -> GateSettings {
        GateSettings(
            metrics: [metric(allowedChange: allowedChange)], blocks: blocks, seed: seed)
    }

    /// Makes the blocks of a gate whose runs have the given orders.
    /// - Parameter worsening: Logarithm of the true ratio of head to base.
    static func blocks(
        _ noise: GateNoise, _ orders: [BlockSchedule.Order], worsening: Double = 0,
        _ random: inout SeededGenerator
    ) -> [GateBlock] {
        var blocks: [GateBlock] = []
        var isInBurst = false
        for (index, order) in orders.enumerated() {
            var block = GateBlock(block: index + 1, order: order, base: [:], head: [:])
            for (place, side) in order.sides.enumerated() {
                isInBurst = random.nextUnit() < (isInBurst ? 0.6 : 0.1)
                var value = 0.03 * normal(&random)
                switch noise {
                case .normal: break
                case .student: value = 0.02 * student(&random)
                case .bursts: value += isInBurst ? 0.1 : 0
                case .drift: value += 0.01 * Double(2 * index + place)
                case .order: value += place == 1 ? 0.06 : 0
                }
                switch side {
                case .base: block.base["cpu"] = exp(value)
                case .head: block.head["cpu"] = exp(value + worsening)
                }
            }
            blocks.append(block)
        }
        return blocks
    }

    /// Makes blocks with exactly these worsenings of a ratio that is better if lower.
    static func blocks(
        _ worsenings: [Double], metric: String = "cpu", settings: GateSettings
    ) throws -> [GateBlock] {
        let schedule = try BlockSchedule(blocks: settings.blocks, seed: settings.seed)
        return worsenings.enumerated().map { index, worsening in
            GateBlock(
                block: index + 1, order: schedule.orders[index], base: [metric: 1],
                head: [metric: exp(worsening)])
        }
    }

    /// Draws from the standard normal distribution (Box and Muller).
    static func normal(_ random: inout SeededGenerator) -> Double {
        let radius = (-2 * log(1 - random.nextUnit())).squareRoot()
        return radius * cos(2 * Double.pi * random.nextUnit())
    }

    private static func student(_ random: inout SeededGenerator) -> Double {
        var squares = 0.0
        for _ in 0..<3 {
            let value = normal(&random)
            squares += value * value
        }
        return normal(&random) / (squares / 3).squareRoot()
    }
}
