import ArgumentParser

/// A flush interval on the command line: milliseconds, or `auto`.
struct FlushIntervalArgument: ExpressibleByArgument {
    /// Milliseconds; nil = as the load is.
    var milliseconds: Int?

    init(milliseconds: Int?) { self.milliseconds = milliseconds }

    init?(argument: String) {
        if argument == "auto" {
            milliseconds = nil
        } else if let number = Int(argument), (0...10_000).contains(number) {
            milliseconds = number
        } else {
            return nil
        }
    }

    var defaultValueDescription: String { milliseconds.map { "\($0)" } ?? "auto" }
}
