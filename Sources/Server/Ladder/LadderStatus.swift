/// State of one source's ladder, which is part of the status API.
public struct LadderStatus: Sendable, Codable, Hashable {
    public enum State: String, Sendable, Codable, CaseIterable {
        /// ffmpeg has been started and has made no frame yet.
        case starting
        case running
        /// ffmpeg ended; it will be started again.
        case backingOff = "backing-off"
        /// Given up after too many failures in a row.
        case failed
        /// The source is gone; ffmpeg is ending.
        case stopping
        case stopped
    }

    public struct Rendition: Sendable, Codable, Hashable {
        public var name: String
        /// Name of the rendition on the relay, `<app>/<stream>`.
        public var stream: String
        public var state: State
        /// The encoder's process, which leads a process group of the same number; nil while there
        /// is none. In mode `single` all renditions have the same.
        public var pid: Int32?
        /// Number of times that ffmpeg was started again.
        public var restarts: Int
        /// Text that says how the last process ended, with the last line that it wrote to standard
        /// error.
        public var lastError: String?
        /// Frames since the present process began; in mode `single` only those of the first
        /// rendition.
        public var encodedFrames: Int?
        /// Frames repeated because the source had a gap or a lower frame rate.
        public var duplicatedFrames: Int?
        /// Frames dropped because they came too close together.
        public var droppedFrames: Int?
        /// Media seconds made per second; below 1 the encoder does not keep up.
        public var speed: Double?

        package init(
            name: String, stream: String, state: State, pid: Int32? = nil, restarts: Int = 0,
            lastError: String? = nil, encodedFrames: Int? = nil, duplicatedFrames: Int? = nil,
            droppedFrames: Int? = nil, speed: Double? = nil
        ) {
            self.name = name
            self.stream = stream
            self.state = state
            self.pid = pid
            self.restarts = restarts
            self.lastError = lastError
            self.encodedFrames = encodedFrames
            self.duplicatedFrames = duplicatedFrames
            self.droppedFrames = droppedFrames
            self.speed = speed
        }
    }

    /// Name of the source, `<app>/<stream>`.
    public var source: String
    public var mode: LadderConfiguration.Mode
    public var renditions: [Rendition]

    package init(source: String, mode: LadderConfiguration.Mode, renditions: [Rendition]) {
        self.source = source
        self.mode = mode
        self.renditions = renditions
    }
}
