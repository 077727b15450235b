import Media
import NIOCore

/// Writes the frames of one stream into its container, and publishes initialization sections, parts
/// and segments by name.
struct SegmentWriter: Sendable {
    private let container: SegmenterConfiguration.Container
    /// Text at the beginning of every name, so that a name never denotes two different resources.
    let token: String
    /// Clock for the times at which resources are published, in nanoseconds; nil = no times.
    private let clock: (@Sendable () -> Int64)?
    /// The published resources and the listed segments.
    var store = SegmentStore()
    /// Muxer of the present epoch; nil before the first piece of the epoch.
    private var muxer: SegmentMuxer?
    /// Initialization section of the segments that are written now; nil without one.
    private(set) var map: MediaPlaylist.InitializationSection?
    private var mapCount = 0

    init(
        _ container: SegmenterConfiguration.Container, token: String,
        clock: (@Sendable () -> Int64)?
    ) {
        self.container = container
        self.token = token
        self.clock = clock
    }

    /// Whether a piece of the present epoch has been written.
    var hasBegunEpoch: Bool { muxer != nil }

    /// Returns the bytes of consecutive frames, which make a part or a whole segment. For the first
    /// piece of an epoch it also publishes the initialization section, if it has changed.
    /// - Parameter isStart: Whether the frames begin a segment.
    /// - Throws: `MediaError` if the tracks cannot be written into the container.
    mutating func piece(
        _ frames: [CodedFrame], of tracks: MediaTracks, isStart: Bool
    ) throws -> ByteBuffer? {
        if muxer == nil { try beginEpoch(tracks) }
        return muxer?.piece(frames, isStart: isStart)
    }

    private mutating func beginEpoch(_ tracks: MediaTracks) throws {
        let new = try SegmentMuxer(container, tracks: tracks)
        muxer = new
        guard let bytes = new.initializationSegment else { return }
        if let map, store.resources[map.uri]?.bytes == bytes { return }
        mapCount += 1
        let name = "\(token)-init-\(mapCount).mp4"
        publish(.initialization, bytes, named: name, tracks)
        map = .init(uri: name)
    }

    /// Ends the epoch, and returns the number of its frames that could not be written.
    mutating func endEpoch() -> Int {
        defer { muxer = nil }
        return muxer?.brokenFrames ?? 0
    }

    /// Publishes a part, and returns its name.
    mutating func publishPart(
        _ bytes: ByteBuffer, _ number: Int, _ index: Int, of tracks: MediaTracks
    ) -> String {
        let name = partName(number, index)
        publish(.part, bytes, named: name, tracks)
        return name
    }

    /// Publishes a whole segment, and returns its name and its bytes.
    mutating func publishSegment(
        _ segment: OpenSegment, _ number: Int, of tracks: MediaTracks
    ) -> (name: String, bytes: ByteBuffer) {
        let bytes = join(segment)
        let name = "\(token)-\(number).\(container.fileExtension)"
        publish(.segment, bytes, named: name, tracks)
        return (name, bytes)
    }

    func partName(_ number: Int, _ index: Int) -> String {
        "\(token)-\(number).\(index).\(container.fileExtension)"
    }

    /// Length of the initialization section in bytes if the last listed segment has another one,
    /// else 0.
    var newMapBytes: Int {
        guard let map, store.segments.last?.entry.map != map else { return 0 }
        return store.resources[map.uri]?.bytes.readableBytes ?? 0
    }

    private mutating func publish(
        _ kind: HLSResource.Kind, _ bytes: ByteBuffer, named name: String, _ tracks: MediaTracks
    ) {
        store.add(
            HLSResource(
                kind: kind, contentType: container.contentType(hasVideo: tracks.video != nil),
                bytes: bytes, publishedNanoseconds: clock?()), named: name)
    }

    /// Copies a segment into one buffer, and replaces its published parts by slices of the buffer.
    private mutating func join(_ segment: OpenSegment) -> ByteBuffer {
        guard segment.pieces.count > 1 else { return segment.pieces[0] }
        var bytes = ByteBuffer()
        bytes.reserveCapacity(segment.pieces.reduce(0) { $0 + $1.readableBytes })
        for piece in segment.pieces { bytes.writeImmutableBuffer(piece) }
        var offset = 0
        for (part, piece) in zip(segment.parts, segment.pieces) {
            if let slice = bytes.getSlice(at: offset, length: piece.readableBytes) {
                store.share(slice, named: part.uri)
            }
            offset += piece.readableBytes
        }
        return bytes
    }
}
