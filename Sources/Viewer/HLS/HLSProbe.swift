// How HLS probes work. One viewer of each HLS group is a probe by default, in a process of its own.
// A probe plays like the other viewers, but keeps the one body that is arriving with the times of
// its reads. `HLSProbe` demuxes the body and finds the stamps. `HLSProbeAccount` determines which
// of a rendition's frames were due: the frames between the first and the last frame of a run of
// successive segments. The embedded origin states in a header of segments and parts
// (`Millrace-Published`, CLOCK_MONOTONIC) when they could first be requested, and edges pass the
// header on. Other servers do not send it, and then there is no packager delay.

import Media
import NIOCore
import SimulationKernel

/// State of an adaptive viewer that is a probe: the body that is arriving and the times of its
/// bytes. The probe reads the frame stamps of each segment or part once it is complete, and keeps
/// one body at a time.
struct HLSProbe {
    /// Size of the longest segment that is read.
    static let bodyLimit = 64 << 20
    /// Largest number of reads of one body that are distinguished; later reads count as the last
    /// one.
    static let mostReads = 8192

    /// Position of a body in the stream, and its times.
    struct Origin {
        var rendition: Int
        /// Media sequence number of the segment.
        var sequence: Int
        /// Time at which the origin published the resource, if the origin states it;
        /// CLOCK_MONOTONIC, ns.
        var publishedNanoseconds: Int64?
    }

    /// Readers made from the renditions' initialization sections; MPEG-TS needs none.
    private var readers: [Int: FragmentedMP4Reader] = [:]
    private var demuxer = TransportStreamDemuxer()
    private var demuxedRendition: Int?
    private var body = ByteBuffer()
    /// Numbers of the body's bytes that had arrived, with the times; ascending.
    private var reads: [(end: Int, time: Int64)] = []
    private var isTooLong = false
    private(set) var accounts: [Int: HLSProbeAccount] = [:]
    private(set) var unreadable = 0
    private(set) var problem: String?
    let joinedAt: Int64

    /// - Parameter joinedAt: time of the join on CLOCK_MONOTONIC, ns.
    init(joinedAt: Int64) { self.joinedAt = joinedAt }

    /// Begins a new response.
    mutating func begin() {
        body.clear()
        reads.removeAll(keepingCapacity: true)
        isTooLong = false
    }

    /// Keeps bytes of the body that arrived at `time`.
    mutating func take(_ bytes: UnsafeRawBufferPointer, at time: Int64) {
        guard body.readableBytes + bytes.count <= Self.bodyLimit else {
            isTooLong = true
            return
        }
        body.writeBytes(bytes)
        if let last = reads.last, last.time == time || reads.count >= Self.mostReads {
            reads[reads.count - 1] = (body.readableBytes, max(time, last.time))
        } else {
            reads.append((body.readableBytes, max(time, reads.last?.time ?? time)))
        }
    }

    /// Uses the body as a rendition's initialization section.
    mutating func initialization(of rendition: Int) {
        do { readers[rendition] = try FragmentedMP4Reader(initializationSegment: body) } catch {
            readers[rendition] = nil
            note("\(error)")
        }
    }

    /// Uses the body as a segment or a part.
    mutating func media(_ origin: Origin, window: Window?) {
        guard !isTooLong else {
            return note("a segment is longer than \(Self.bodyLimit) bytes")
        }
        let frames: [StampedFrame]
        do { frames = try self.frames(of: origin.rendition) } catch { return note("\(error)") }
        var account = accounts[origin.rendition] ?? HLSProbeAccount(rendition: origin.rendition)
        account.begin(sequence: origin.sequence)
        for frame in frames {
            account.receive(
                frame.stamp, arrival: arrival(of: frame.endOffset),
                published: origin.publishedNanoseconds, joinedAt: joinedAt, window: window)
        }
        accounts[origin.rendition] = account
    }

    var report: HLSProbeReport {
        HLSProbeReport(
            renditions: accounts.values.map(\.report).sorted { $0.rendition < $1.rendition },
            unreadable: unreadable, problem: problem)
    }

    private typealias StampedFrame = (stamp: FrameStamp?, endOffset: Int)

    /// Returns the video frames of the body in their order.
    private mutating func frames(of rendition: Int) throws -> [StampedFrame] {
        guard let reader = readers[rendition] else { return try transportFrames(of: rendition) }
        let sizes = Dictionary(
            reader.tracks.map { ($0.id, $0.video?.nalUnitLengthSize ?? 4) },
            uniquingKeysWith: { a, _ in a })
        return try reader.samples(body).filter { $0.kind == .video }.map {
            let size = sizes[$0.trackID] ?? 4
            return (
                FrameStamp.find(inAccessUnit: $0.payload, nalUnitLengthSize: size), $0.endOffset
            )
        }
    }

    private mutating func transportFrames(of rendition: Int) throws -> [StampedFrame] {
        // The parts of a segment share one program map.
        if demuxedRendition != rendition { demuxer = TransportStreamDemuxer() }
        demuxedRendition = rendition
        var units: [TransportStreamDemuxer.AccessUnit] = []
        do {
            demuxer.append(body)
            while let unit = try demuxer.next() { units.append(unit) }
        } catch {
            demuxedRendition = nil
            throw error
        }
        return (units + demuxer.finish()).filter { $0.kind == .video }.map {
            (FrameStamp.find(inAnnexB: $0.payload), $0.endOffset)
        }
    }

    /// Returns the time at which the byte before `offset` had arrived.
    private func arrival(of offset: Int) -> Int64 {
        var low = 0
        var high = reads.count - 1
        while low < high {
            let middle = (low + high) / 2
            if reads[middle].end >= offset { high = middle } else { low = middle + 1 }
        }
        return reads.isEmpty ? joinedAt : reads[low].time
    }

    private mutating func note(_ what: String) {
        unreadable += 1
        if problem == nil { problem = what }
    }
}
