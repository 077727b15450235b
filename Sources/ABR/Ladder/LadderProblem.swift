public import Netem
import SimulationKernel

/// A rendition that a ladder may hold.
public struct LadderCandidate: Hashable, Sendable {
    /// kbit/s, audio included.
    public var bitrate: Double
    /// Pixels.
    public var height: Int
    /// Cores that its encoder needs; 0 where CPU does not matter.
    public var cores: Double
    /// On any scale of which more is better; nil where only the bit rate tells.
    public var quality: Double?

    public init(bitrate: Double, height: Int, cores: Double = 0, quality: Double? = nil) {
        self.bitrate = bitrate
        self.height = height
        self.cores = cores
        self.quality = quality
    }
}

/// What viewers are set to, apart from the ladder.
public struct LadderSetting: Hashable, Sendable {
    public var algorithm: AlgorithmName
    /// ms
    public var maximumBuffer: Double
    /// Players leave out renditions taller than their screen (the lowest stays).
    public var fitsDevice: Bool

    public init(algorithm: AlgorithmName, maximumBuffer: Double, fitsDevice: Bool) {
        self.algorithm = algorithm
        self.maximumBuffer = maximumBuffer
        self.fitsDevice = fitsDevice
    }
}

/// A part of the viewers: links and screens alike.
public struct LadderAudience: Sendable {
    public var name: String
    /// Share of all viewers; shares need not add up to 1.
    public var share: Double
    public var link: LinkTrace
    /// The tallest picture that its screen shows (pixels).
    public var screenHeight: Int

    public init(name: String, share: Double, link: LinkTrace, screenHeight: Int) {
        self.name = name
        self.share = share
        self.link = link
        self.screenHeight = screenHeight
    }
}

/// What makes a session good, per segment.
public enum LadderQoE: String, CaseIterable, Sendable {
    /// Yin/Pensieve with Mbit/s, 4.3 per second of stall or start-up, and 1 per Mbit/s of change.
    case linear
    /// With ln(bit rate / lowest candidate) and 2.66.
    case log
    /// With the candidates' own quality, and the best one's per second of stall.
    case quality
}

/// What is made large over the viewers.
public enum LadderStatistic: Hashable, Sendable {
    case mean
    /// A low percentile, 0 to 100.
    case percentile(Double)
}

/// Everything that the choice of a ladder depends on.
public struct LadderProblem: Sendable {
    /// At most so many candidates: sets of them are bit masks.
    public static let maximumCandidates = 32

    /// Ascending by bit rate.
    public var candidates: [LadderCandidate] {
        didSet { candidates.sort(by: Self.isBelow) }
    }
    public var audiences: [LadderAudience]
    public var settings: [LadderSetting]
    /// At most so many rungs.
    public var maximumRungs: Int
    /// Of all encoders together; infinite is no limit.
    public var maximumCores = Double.infinity
    /// Mean over viewers (kbit/s); infinite is no limit.
    public var maximumEgress = Double.infinity
    public var qoe = LadderQoE.log
    public var statistic = LadderStatistic.mean
    /// Of each seed.
    public var viewers = 24
    /// Draws of viewers and titles to search with; as many others judge what was found.
    public var seeds = 8
    public var seed: UInt64 = 1
    /// ms
    public var segmentDuration = 4000.0
    public var segmentCount = 45
    /// How far segment sizes stray; 0 is CBR.
    public var variation = 0.2
    public var player = PlayerConfiguration()
    /// TCP's slow start and request round trips; nil is a fluid.
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

    /// - Throws: what makes the problem impossible.
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

    /// The height that viewers of an audience are limited to under a setting.
    func cap(_ audience: Int, _ setting: LadderSetting) -> Int {
        setting.fitsDevice ? audiences[audience].screenHeight : .max
    }
}

/// An error that says why no ladder can be chosen.
public struct LadderChoiceError: Error, Hashable, CustomStringConvertible {
    public var description: String

    init(_ description: String) { self.description = description }
}

/// A set of candidates: bit i is candidate i.
public struct RungSet: Hashable, Sendable, Comparable {
    public var mask: UInt64

    public init(mask: UInt64) { self.mask = mask }

    public init(_ indices: some Sequence<Int>) {
        mask = indices.reduce(0) { $0 | (1 << UInt64($1)) }
    }

    public var count: Int { mask.nonzeroBitCount }
    /// Ascending.
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
