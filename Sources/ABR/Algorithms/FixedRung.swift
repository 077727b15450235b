/// Always the same rung: what a player without adaptation does.
public struct FixedRung: ABRAlgorithm {
    public let rung: Int

    public init(_ rung: Int) { self.rung = rung }

    public func firstRung(_ state: PlayerState) -> Int { min(rung, state.title.rungs - 1) }
    public mutating func decide(_ state: PlayerState) -> Decision { Decision(rung: rung) }
}
