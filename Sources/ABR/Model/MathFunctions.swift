import Glibc

extension Title {
    static func logarithm(_ x: Double) -> Double { log(x) }
}

/// 0.5^(weight / halfLife): what is left of a sample's weight.
@inline(__always)
func halfLifeDecay(_ weight: Double, _ halfLife: Double) -> Double { pow(0.5, weight / halfLife) }
