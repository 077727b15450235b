/// Reason why a trace cannot be used, the position of the fault, and its remedy.
public struct TraceError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Hashable, Sendable {
        case empty
        /// A field is not a number, or the file is not JSON.
        case malformed
        case negative
        /// A number is NaN or infinity.
        case notFinite
        /// A number is beyond the range of a link.
        case outOfRange
        case notMonotone
        /// The length of the trace, or of one of its periods, is 0.
        case zeroLength
        case allZero
        case unknownColumn
        case missingColumn
        /// The file is larger than `TraceReader.largestFileBytes`.
        case tooLarge
        case unreadable
        case unknownFormat
    }

    public var code: Code
    /// Name of the file as the caller gave it; nil for values that come from no file.
    public var file: String?
    /// Line number from 1; 0 if the fault has no line.
    public var line: Int
    /// Description of the fault and of its remedy.
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
