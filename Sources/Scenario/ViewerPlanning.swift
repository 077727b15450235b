import Foundation
import SimulationKernel
import Viewer

extension ViewerPlan {
    /// Returns all viewers in join order. Each group draws from its own random streams.
    static func all(of scenario: TrialScenario) -> [ViewerPlan] {
        var viewers: [ViewerPlan] = []
        for (index, group) in scenario.viewers.enumerated() {
            viewers += members(of: group, index: index, scenario: scenario)
        }
        // The sort is stable by construction: viewers with equal times keep the order of the
        // scenario.
        let order = viewers.indices.sorted { a, b in
            (viewers[a].joinOffsetNanoseconds, a) < (viewers[b].joinOffsetNanoseconds, b)
        }
        return order.enumerated().map { place, old in
            var viewer = viewers[old]
            viewer.index = place
            return viewer
        }
    }

    private static func members(
        of group: ViewerGroup, index: Int, scenario: TrialScenario
    ) -> [ViewerPlan] {
        let targets = scenario.targets(of: group)
        let offsets = joinOffsets(of: group, index: index, scenario: scenario)
        var places = Array(0..<group.count)
        var shuffler = SeededGenerator(seed: scenario.seed, entity: "group/\(index)/targets")
        places.shuffle(using: &shuffler)
        // Targets are spread evenly over the join order, in random order.
        var targetOfPlace = [Int](repeating: 0, count: group.count)
        for (i, place) in places.enumerated() { targetOfPlace[place] = i % targets.count }
        let probes = probePlaces(
            of: group, index: index, seed: scenario.seed, targetOfPlace: targetOfPlace,
            targets: targets.count)
        let end = (scenario.warmup + scenario.duration + scenario.drain).nanoseconds
        return (0..<group.count).map { place in
            let target = targets[targetOfPlace[place]]
            return ViewerPlan(
                index: 0, group: index, playProtocol: group.playProtocol,
                streamKey: group.adaptive == nil
                    ? "\(target.stream)_\(target.rendition)" : target.stream,
                stream: target.stream,
                rendition: target.rendition, joinOffsetNanoseconds: offsets[place],
                isProbe: probes.contains(place), mode: group.mode,
                link: link(of: group, index: index, place: place, scenario: scenario),
                watchNanoseconds: watchTimes(
                    of: group, entity: "group/\(index)/watch/\(place)", seed: scenario.seed,
                    span: end - offsets[place]),
                playoutBufferNanoseconds: group.playoutBuffer.nanoseconds,
                edge: edge(of: group, index: index, place: place, scenario: scenario))
        }
    }

    /// Returns the index of a viewer's edge. Edges are assigned by turns, in the order of joining
    /// and over all groups.
    private static func edge(
        of group: ViewerGroup, index: Int, place: Int, scenario: TrialScenario
    ) -> Int? {
        guard group.via == .edge, let edges = scenario.stack.edges else { return nil }
        let before = scenario.viewers[..<index].reduce(0) {
            $0 + ($1.via == .edge ? $1.count : 0)
        }
        return (before + place) % edges.count
    }

    /// Returns a viewer's link. All viewers of a group have the same link and begin at seeded
    /// offsets in its trace.
    private static func link(
        of group: ViewerGroup, index: Int, place: Int, scenario: TrialScenario
    ) -> LinkAssignment? {
        guard let link = group.link else { return nil }
        var generator = SeededGenerator(
            seed: scenario.seed, entity: "group/\(index)/link/\(place)")
        let offset = Int64(generator.nextUnit() * Double(link.cycleNanoseconds))
        return LinkAssignment(
            link: scenario.viewers[..<index].count { $0.link != nil },
            offsetNanoseconds: offset, seed: generator.next())
    }

    /// Returns the join times. For a given number of arrivals, the arrivals of a Poisson process
    /// are uniform over the span. The joins are therefore as random as in k6's open model, and they
    /// are certain to end in time.
    private static func joinOffsets(
        of group: ViewerGroup, index: Int, scenario: TrialScenario
    ) -> [Int64] {
        let span = Double(group.arrival.span(of: group.count).nanoseconds)
        var generator = SeededGenerator(seed: scenario.seed, entity: "group/\(index)/arrivals")
        let delay = group.arrival.after.nanoseconds
        return (0..<group.count).map { _ in delay + Int64(generator.nextUnit() * span) }.sorted()
    }

    /// Returns the probes' positions in the join order: seeded-random, and spread over the targets.
    /// A share above 0 gives each target one probe.
    private static func probePlaces(
        of group: ViewerGroup, index: Int, seed: UInt64, targetOfPlace: [Int], targets: Int
    ) -> Set<Int> {
        var places = Array(0..<group.count)
        var generator = SeededGenerator(seed: seed, entity: "group/\(index)/probes")
        places.shuffle(using: &generator)
        var wanted = [Int](repeating: 0, count: targets)
        switch group.probes {
        case .share(let share):
            guard share > 0 else { return [] }
            for target in 0..<targets {
                let members = targetOfPlace.count { $0 == target }
                wanted[target] = max(1, Int((Double(members) * share).rounded()))
            }
        case .count(let count):
            for i in 0..<count { wanted[i % targets] += 1 }
        }
        var chosen: Set<Int> = []
        for place in places where wanted[targetOfPlace[place]] > 0 {
            wanted[targetOfPlace[place]] -= 1
            chosen.insert(place)
        }
        return chosen
    }

    /// Returns exponential session lengths that fill `span`. Each is at least
    /// `ViewerGroup.leastWatch`.
    private static func watchTimes(
        of group: ViewerGroup, entity: String, seed: UInt64, span: Int64
    ) -> [Int64] {
        guard let churn = group.churn else { return [] }
        var generator = SeededGenerator(seed: seed, entity: entity)
        var times: [Int64] = []
        let least = ViewerGroup.leastWatch.nanoseconds
        var total: Int64 = 0
        while total < span {
            let draw = -log(1 - generator.nextUnit())
            let time = max(least, Int64(draw * Double(churn.meanWatch.nanoseconds)))
            times.append(time)
            total += time
        }
        return times
    }
}
