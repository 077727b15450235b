/// `manifest.json`: facts about the run and its machine, and whether the figures are valid.
public struct Manifest: Codable, Sendable, Equatable {
    public struct Host: Codable, Sendable, Equatable {
        public var name = ""
        public var kernel = ""
        public var cpuModel = ""
        public var cores = 0

        public init() {}
    }

    public struct Capture: Codable, Sendable, Equatable {
        /// Whether packets were captured; if not, `reason` says why.
        public var ran = false
        public var reason = ""
        public var received = 0
        public var dropped = 0

        public init() {}
    }

    /// Real time minus monotonic time, in nanoseconds, as sampled during the run.
    public struct ClockOffset: Codable, Sendable, Equatable {
        public var minimumNanoseconds: Int64 = 0
        public var maximumNanoseconds: Int64 = 0

        public init() {}
    }

    public struct Validity: Codable, Sendable, Equatable {
        public var valid = true
        /// Reasons why the trial is void; empty if it is valid.
        public var reasons: [String] = []

        /// Words in the reason that the publishers sent too few frames.
        public static let fewFramesSent = "of the intended frames were sent"

        /// Whether the trial is void for no other reason than that the publishers sent too few
        /// frames. Publishers that are not late themselves are held by the server.
        public var isOnlyShortOfFrames: Bool {
            !reasons.isEmpty && reasons.allSatisfy { $0.contains(Self.fewFramesSent) }
        }

        /// The first reasons in one text, for a void trial.
        public var voidText: String {
            reasons.isEmpty ? "void" : reasons.prefix(3).joined(separator: "; ")
        }

        public init() {}
    }

    /// The steady window, in seconds from the shared start time.
    public struct Window: Codable, Sendable, Equatable {
        public var startSeconds = 0.0
        public var endSeconds = 0.0

        public init() {}
    }

    /// A file that the run read.
    public struct Input: Codable, Sendable, Equatable {
        public var path: String
        public var sha256: String

        public init(path: String, sha256: String) {
            self.path = path
            self.sha256 = sha256
        }
    }

    public var schemaVersion = 1
    public var millraceVersion = ""
    public var gitCommit = ""
    public var runID = ""
    public var scenario = ""
    public var scenarioSHA256 = ""
    public var seed: UInt64 = 0
    public var argv: [String] = []
    public var host = Host()
    public var stack = ""
    public var congestionControl = ""
    /// Start in ISO 8601, UTC.
    public var start = ""
    public var end = ""
    public var window = Window()
    public var capture = Capture()
    public var clockOffset = ClockOffset()
    public var validity = Validity()
    /// Traces and titles; nil if the run uses none.
    public var inputs: [Input]?

    public init() {}
}
