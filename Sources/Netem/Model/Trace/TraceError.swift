/// Why a trace cannot be used, where, and how to mend it.
public struct TraceError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Hashable, Sendable {
        case empty
        /// A field is no number, or the file no JSON.
        case malformed
        case negative
        /// NaN or infinity.
        case notFinite
        /// A number beyond what a link can have.
        case outOfRange
        case notMonotone
        /// The trace, or one of its periods, lasts no time.
        case zeroLength
        case allZero
        case unknownColumn
        case missingColumn
        /// More than `TraceReader.largestFileBytes`.
        case tooLarge
        case unreadable
        case unknownFormat
    }

    public var code: Code
    /// As the caller named it; nil for values that come from no file.
    public var file: String?
    /// From 1; 0 where the fault has no line.
    public var line: Int
    /// What went wrong and how to mend it.
    public var message: String

    package init(_ code: Code, file: String? = nil, line: Int = 0, _ message: String) {
        self.code = code
        self.file = file
        self.line = line
        self.message = message
    }

    public var description: String {
        switch (file, line) {
        case (let file?, 0): "\(file): \(message)"
        case (let file?, _): "\(file):\(line): \(message)"
        case (nil, 0): message
        case (nil, _): "line \(line): \(message)"
        }
    }
}
