/// Always the same rendition, as in a player without adaptation.
public struct FixedRendition: ABRAlgorithm {
    public let rendition: Int

    public init(_ rendition: Int) { self.rendition = rendition }

    public func firstRendition(_ state: PlayerState) -> Int {
        min(rendition, state.title.renditions - 1)
    }
    public mutating func decide(_ state: PlayerState) -> Decision { Decision(rendition: rendition) }
}
