/// DYNAMIC (Spiteri, Sitaraman, Sparacio, MMSys 2018): the throughput rule while the buffer is low,
/// otherwise BOLA.
public struct Dynamic: ABRAlgorithm {
    /// Buffer level in ms below which the throughput rule decides.
    public static let lowBufferThreshold = 10_000.0

    private var bola: BOLA
    private var throughput = ThroughputRule()
    private var usesBOLA = false

    public init(title: Title, maximumBuffer: Double) {
        bola = BOLA(.finite, title: title, maximumBuffer: maximumBuffer)
    }

    public var mayAbandon: Bool { true }
    public var abandonGrace: Double { throughput.abandonGrace }

    public mutating func decide(_ state: PlayerState) -> Decision {
        let fromBuffer = bola.decide(state)
        let fromThroughput = throughput.decide(state)
        let level = state.bufferLevel
        if usesBOLA {
            if level < Self.lowBufferThreshold, fromBuffer.rendition < fromThroughput.rendition {
                usesBOLA = false
            }
        } else if level > Self.lowBufferThreshold, fromBuffer.rendition >= fromThroughput.rendition
        {
            usesBOLA = true
        }
        return usesBOLA ? fromBuffer : fromThroughput
    }

    public mutating func abandon(_ progress: DownloadProgress, _ state: PlayerState) -> Int? {
        throughput.abandon(progress, state)
    }

    public func earliestAbandonment(
        after progress: DownloadProgress, _ state: PlayerState
    ) -> Double { throughput.earliestAbandonment(after: progress, state) }

    public mutating func seeked(_ state: PlayerState) { bola.seeked(state) }
}

/// DYNAMIC of older dash.js versions, with BOLA-E: it is on above 10 s of buffer and off below 5 s.
public struct DynamicDASH: ABRAlgorithm {
    /// Buffer level in ms above which BOLA-E is on.
    public static let onThreshold = 10_000.0
    /// Buffer level in ms below which BOLA-E is off.
    public static let offThreshold = 5_000.0

    private var bola: BOLAE
    private var throughput = ThroughputRule()
    private var usesBOLA = false

    public init(title: Title, maximumBuffer: Double) {
        bola = BOLAE(title: title, maximumBuffer: maximumBuffer)
    }

    public var mayAbandon: Bool { true }

    public mutating func decide(_ state: PlayerState) -> Decision {
        if usesBOLA, state.bufferLevel < Self.offThreshold {
            usesBOLA = false
        } else if !usesBOLA, state.bufferLevel > Self.onThreshold {
            usesBOLA = true
        }
        return usesBOLA ? bola.decide(state) : throughput.decide(state)
    }

    public mutating func waited(_ milliseconds: Double) { bola.waited(milliseconds) }

    public mutating func downloaded(_ progress: DownloadProgress, _ state: PlayerState) {
        bola.downloaded(progress, state)
    }

    public mutating func abandon(_ progress: DownloadProgress, _ state: PlayerState) -> Int? {
        usesBOLA ? bola.abandon(progress, state) : throughput.abandon(progress, state)
    }

    public func earliestAbandonment(
        after progress: DownloadProgress, _ state: PlayerState
    ) -> Double { usesBOLA ? 0 : throughput.earliestAbandonment(after: progress, state) }

    public mutating func seeked(_ state: PlayerState) { bola.seeked(state) }
}
