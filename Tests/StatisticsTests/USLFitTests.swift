import SimulationKernel
import Testing

@testable import Statistics

@Suite struct USLFitTests {
    /// Capacities of a planted curve, each multiplied by a seeded error.
    private static func points(
        _ sizes: [Int], lambda: Double = 100, sigma: Double, kappa: Double, noise: Double = 0,
        repeats: Int = 1, seed: UInt64 = 1
    ) -> [USLFit.Point] {
        var generator = SeededGenerator(seed: seed)
        let curve = USLCurve(lambda: lambda, sigma: sigma, kappa: kappa)
        return sizes.flatMap { size in
            (0..<repeats).map { _ in
                let factor = 1 + noise * (2 * generator.nextUnit() - 1)
                return USLFit.Point(
                    size: size, capacity: curve.capacity(ofSize: Double(size)) * factor)
            }
        }
    }

    @Test(arguments: [(0.05, 0.01), (0.2, 0.002), (0.0, 0.02), (0.4, 0.05), (0.02, 0.0001)])
    func findsPlantedParameters(sigma: Double, kappa: Double) throws {
        let fit = try USLFit(Self.points([1, 2, 4, 8, 16, 32], sigma: sigma, kappa: kappa))
        #expect(abs(fit.lambda.value - 100) < 0.1)
        #expect(abs(fit.sigma.value - sigma) < 1e-3)
        #expect(abs(fit.kappa.value - kappa) < 1e-4)
        #expect(fit.rSquared > 0.9999)
        let peak = ((1 - sigma) / kappa).squareRoot()
        let found = try #require(fit.peakSize)
        #expect(abs(found.value - peak) < 0.1 * peak)
        // The last planted peak lies at 99, outside the sweep.
        #expect((fit.peakInsideSweep != nil) == (peak <= 32))
    }

    @Test func noiseGivesIntervals() throws {
        let fit = try USLFit(
            Self.points(
                [1, 2, 3, 4, 6, 8, 12, 16], sigma: 0.08, kappa: 0.01, noise: 0.03, repeats: 5))
        #expect(abs(fit.sigma.value - 0.08) < 0.03)
        #expect(abs(fit.kappa.value - 0.01) < 0.003)
        #expect(abs(fit.lambda.value - 100) < 5)
        for estimate in [fit.lambda, fit.sigma, fit.kappa] {
            #expect(estimate.low < estimate.value && estimate.value < estimate.high)
        }
        #expect(fit.sigma.high - fit.sigma.low < 0.1)
        let peak = try #require(fit.peakInsideSweep)
        #expect(abs(peak.value - (0.92 / 0.01).squareRoot()) < 1)
        #expect(peak.low < peak.value && peak.value < peak.high)
    }

    /// A curve that only flattens has no peak, whatever the noise makes of it.
    @Test func contentionAloneHasNoPeak() throws {
        let fit = try USLFit(
            Self.points([1, 2, 3, 4, 6, 8], sigma: 0.2, kappa: 0, noise: 0.02, repeats: 3))
        #expect(fit.kappa.low < 0.005)
        #expect(fit.peakInsideSweep == nil)
        #expect(abs(fit.sigma.value - 0.2) < 0.06)
    }

    @Test func perfectScaling() throws {
        let fit = try USLFit(Self.points([1, 2, 3, 4, 5, 6], sigma: 0, kappa: 0))
        #expect(fit.sigma.value < 1e-6 && fit.kappa.value < 1e-6)
        #expect(fit.peakInsideSweep == nil)
        #expect(abs(fit.capacity(ofSize: 10) - 1000) < 1)
    }

    @Test func isDeterministic() throws {
        let points = Self.points([1, 2, 3, 4, 6, 8], sigma: 0.1, kappa: 0.01, noise: 0.05)
        let (one, other) = (try USLFit(points), try USLFit(points))
        #expect(one == other)
    }

    @Test func saysWhyThereIsNoFit() {
        let table: [(points: [(Int, Double)], words: String)] = [
            ([(1, 100), (2, 150)], "at least 6 sizes"),
            ([(1, 7), (2, 7), (3, 7), (4, 7), (5, 7), (6, 7)], "makes no difference"),
            ([(1, 7), (2, 0), (3, 7), (4, 7), (5, 7), (6, 7)], "more than 0"),
            ([(0, 7), (2, 1), (3, 7), (4, 7), (5, 7), (6, 7)], "must be 1 to"),
            ([(1, .nan), (2, 1), (3, 7), (4, 7), (5, 7), (6, 7)], "more than 0"),
            ([], "at least 6 sizes"),
        ]
        for row in table {
            let points = row.points.map { USLFit.Point(size: $0.0, capacity: $0.1) }
            let fault = #expect(throws: USLFit.Fault.self) { try USLFit(points) }
            #expect(fault?.description.contains(row.words) == true, "\(row)")
        }
    }
}
