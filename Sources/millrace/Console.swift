import ArgumentParser
import Glibc
import Logging

/// Prints `message` on stderr and ends with exit code 1, or `code`.
func fail(_ message: String, code: Int32 = 1) -> Never {
    say("millrace: \(message)")
    exit(code)
}

/// A line on stderr. What stands on stdout goes out before it: both may be one pipe.
func say(_ line: String) {
    fflush(nil)
    fputs(line + "\n", stderrStream)
}

func check(_ value: Int, in range: ClosedRange<Int>, _ name: String) throws {
    guard range.contains(value) else {
        throw ValidationError(
            "\(name) is \(value); it takes \(range.lowerBound) to \(range.upperBound)")
    }
}

func check(_ value: Double, in range: ClosedRange<Double>, _ name: String) throws {
    guard range.contains(value) else {
        throw ValidationError(
            "\(name) is \(value); it takes \(range.lowerBound) to \(range.upperBound)")
    }
}

/// Log lines on stderr.
func stderrLogger(_ level: Logger.Level) -> Logger {
    var logger = Logger(label: "millrace") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = level
    return logger
}
