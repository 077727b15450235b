public import Netem
import SimulationKernel

/// A rendition that a ladder may hold.
public struct LadderCandidate: Hashable, Sendable {
    /// Bit rate in kbit/s, audio included.
    public var bitrate: Double
    /// Height in pixels.
    public var height: Int
    /// Cores that its encoder needs; 0 if CPU does not matter.
    public var cores: Double
    /// Quality on any scale on which more is better; nil if only the bit rate is known.
    public var quality: Double?

    public init(bitrate: Double, height: Int, cores: Double = 0, quality: Double? = nil) {
        self.bitrate = bitrate
        self.height = height
        self.cores = cores
        self.quality = quality
    }
}

/// Configuration of the viewers, apart from the ladder.
public struct LadderSetting: Hashable, Sendable {
    public var algorithm: AlgorithmName
    /// Largest amount of media in the buffer, in ms.
    public var maximumBuffer: Double
    /// Whether players leave out renditions taller than their screen, except the lowest rendition.
    public var fitsDevice: Bool

    public init(algorithm: AlgorithmName, maximumBuffer: Double, fitsDevice: Bool) {
        self.algorithm = algorithm
        self.maximumBuffer = maximumBuffer
        self.fitsDevice = fitsDevice
    }
}

/// A part of the viewers with the same kind of links and screens.
public struct LadderAudience: Sendable {
    public var name: String
    /// Share of all viewers; shares need not add up to 1.
    public var share: Double
    public var link: LinkTrace
    /// Height of the tallest picture that the screen shows (pixels).
    public var screenHeight: Int

    public init(name: String, share: Double, link: LinkTrace, screenHeight: Int) {
        self.name = name
        self.share = share
        self.link = link
        self.screenHeight = screenHeight
    }
}

/// Measure of a session's quality, per segment.
public enum LadderQoE: String, CaseIterable, Sendable {
    /// Yin/Pensieve: Mbit/s, less 4.3 per second of stall or start-up, less 1 per Mbit/s of change.
    case linear
    /// The same with ln(bit rate / lowest candidate) and 2.66 per second.
    case log
    /// The same with the candidates' own quality, and the best quality as the penalty per second of
    /// stall.
    case quality
}

/// Statistic over the viewers that is maximised.
public enum LadderStatistic: Hashable, Sendable {
    case mean
    /// A low percentile, from 0 to 100.
    case percentile(Double)
}

/// All inputs of the choice of a ladder.
public struct LadderProblem: Sendable {
    /// Largest number of candidates, because sets of candidates are bit masks.
    public static let maximumCandidates = 32

    /// Candidates, ascending by bit rate.
    public var candidates: [LadderCandidate] {
        didSet { candidates.sort(by: Self.isBelow) }
    }
    public var audiences: [LadderAudience]
    public var settings: [LadderSetting]
    /// Largest number of rungs.
    public var maximumRungs: Int
    /// Largest number of cores of all encoders together; infinite = no limit.
    public var maximumCores = Double.infinity
    /// Largest mean egress over viewers (kbit/s); infinite = no limit.
    public var maximumEgress = Double.infinity
    public var qoe = LadderQoE.log
    public var statistic = LadderStatistic.mean
    /// Number of viewers of each seed.
    public var viewers = 24
    /// Number of draws of viewers and titles for the search; as many other draws judge its results.
    public var seeds = 8
    public var seed: UInt64 = 1
    /// Duration of a segment in ms.
    public var segmentDuration = 4000.0
    public var segmentCount = 45
    /// Variation of segment sizes; 0 is CBR.
    public var variation = 0.2
    public var player = PlayerConfiguration()
    /// Model of TCP's slow start and request round trips; nil = a fluid model.
    public var tcp: TCPModel? = TCPModel()

    public init(
        candidates: [LadderCandidate], audiences: [LadderAudience], settings: [LadderSetting],
        maximumRungs: Int
    ) {
        self.candidates = candidates.sorted(by: Self.isBelow)
        self.audiences = audiences
        self.settings = settings
        self.maximumRungs = maximumRungs
    }

    private static func isBelow(_ a: LadderCandidate, _ b: LadderCandidate) -> Bool {
        (a.bitrate, a.height) < (b.bitrate, b.height)
    }

    /// - Throws: an error that states why the problem is impossible.
    public func check() throws(LadderChoiceError) {
        guard !candidates.isEmpty, candidates.count <= Self.maximumCandidates else {
            throw LadderChoiceError(
                "a ladder is chosen from 1 to \(Self.maximumCandidates) candidates")
        }
        guard candidates.allSatisfy({ $0.bitrate > 0 && $0.bitrate.isFinite && $0.cores >= 0 })
        else {
            throw LadderChoiceError("candidates need a positive bit rate and no negative CPU cost")
        }
        guard !audiences.isEmpty, audiences.allSatisfy({ $0.share > 0 }) else {
            throw LadderChoiceError("the population needs an audience, each with a positive share")
        }
        guard !settings.isEmpty, maximumRungs > 0, viewers >= audiences.count, seeds > 0 else {
            throw LadderChoiceError(
                "a choice needs settings, rungs, seeds and at least a viewer for each audience")
        }
        if qoe == .quality, candidates.contains(where: { $0.quality == nil }) {
            throw LadderChoiceError("the objective is quality, so every candidate needs one")
        }
        guard candidates.contains(where: { $0.cores <= maximumCores }) else {
            throw LadderChoiceError(
                "no candidate's CPU cost is within the limit of \(maximumCores) cores")
        }
    }

    /// Returns the height to which viewers of an audience are limited under a setting.
    func cap(_ audience: Int, _ setting: LadderSetting) -> Int {
        setting.fitsDevice ? audiences[audience].screenHeight : .max
    }
}

/// An error that states why no ladder can be chosen.
public struct LadderChoiceError: Error, Hashable, CustomStringConvertible {
    public var description: String

    init(_ description: String) { self.description = description }
}

/// A set of candidates: bit i stands for candidate i.
public struct RungSet: Hashable, Sendable, Comparable {
    public var mask: UInt64

    public init(mask: UInt64) { self.mask = mask }

    public init(_ indices: some Sequence<Int>) {
        mask = indices.reduce(0) { $0 | (1 << UInt64($1)) }
    }

    public var count: Int { mask.nonzeroBitCount }
    /// Indices of the candidates in ascending order.
    public var indices: [Int] {
        var result: [Int] = []
        var rest = mask
        while rest != 0 {
            result.append(rest.trailingZeroBitCount)
            rest &= rest - 1
        }
        return result
    }

    public func contains(_ index: Int) -> Bool { mask >> UInt64(index) & 1 == 1 }
    func inserting(_ index: Int) -> RungSet { RungSet(mask: mask | 1 << UInt64(index)) }
    func removing(_ index: Int) -> RungSet { RungSet(mask: mask & ~(1 << UInt64(index))) }

    public static func < (left: RungSet, right: RungSet) -> Bool { left.mask < right.mask }
}
