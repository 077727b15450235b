import ArgumentParser
import Foundation
import Glibc
import HTTPWire
import Logging

/// Prints `message` on stderr and ends with exit code 1, or `code`.
func fail(_ message: String, code: Int32 = 1) -> Never {
    say("millrace: \(message)")
    exit(code)
}

/// Prints a line and escapes control characters, which would colour or clear a terminal. In JSON,
/// they are escaped as JSON requires (RFC 8259, section 7). The function replaces the standard
/// library's `print` in every form that this program uses.
func print(_ line: String, isJSON: Bool = false, terminator: String = "\n") {
    Swift.print(escaped(line, isJSON: isJSON), terminator: terminator)
}

func print(_ value: some CustomStringConvertible, terminator: String = "\n") {
    print(value.description, isJSON: false, terminator: terminator)
}

/// Prints a value as JSON with sorted keys, which are the names of its coding keys.
func printJSON(_ value: some Encodable, escapesSlashes: Bool = true) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    if !escapesSlashes { encoder.outputFormatting.insert(.withoutEscapingSlashes) }
    print(String(decoding: try encoder.encode(value), as: UTF8.self), isJSON: true)
}

/// Escapes control characters. Names come from captures, servers and playlists, and may contain any
/// character.
private func escaped(_ text: String, isJSON: Bool = false) -> String {
    let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F || $0 == 0x0A || $0 == 0x09 }
    guard !isPlain else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        if !scalar.isControl || scalar == "\n" || scalar == "\t" {
            result.unicodeScalars.append(scalar)
        } else if isJSON {
            for unit in scalar.utf16 {
                let digits = String(unit, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        } else {
            result += String(scalar).printable
        }
    }
    return result
}

/// Prints a line on stderr. Output that is waiting for stdout is written first, because both may be
/// one pipe.
func say(_ line: String) {
    fflush(nil)
    fputs(escaped(line) + "\n", stderrStream)
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

/// Returns a logger that writes lines on stderr.
func stderrLogger(_ level: Logger.Level) -> Logger {
    var logger = Logger(label: "millrace") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = level
    return logger
}
