/// Always chooses the same rendition, as a player without adaptation does.
public struct FixedRendition: ABRAlgorithm {
    /// Index of the rendition, 0 or more. In a title with fewer renditions the last one is
    /// chosen.
    public let rendition: Int

    public init(_ rendition: Int) { self.rendition = rendition }

    public func firstRendition(_ state: PlayerState) -> Int {
        min(rendition, state.title.renditionCount - 1)
    }
    public mutating func decide(_ state: PlayerState) -> Decision { Decision(rendition: rendition) }
}
