import Glibc

extension Title {
    static func logarithm(_ x: Double) -> Double { log(x) }
}

/// Returns base^(weight / halfLife). With base 0.5 it is the remaining share of a sample's weight.
///
/// The base is an argument because the optimizer turns pow(0.5, x) into exp2(-x), which differs in
/// the last bit from the pow of the reference implementations.
@inline(__always)
func decay(_ base: Double, _ weight: Double, _ halfLife: Double) -> Double {
    pow(base, weight / halfLife)
}

func exponential(_ x: Double) -> Double { exp(x) }

func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }
