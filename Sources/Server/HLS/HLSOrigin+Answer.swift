import HLS
import HTTPWire
import NIOCore
import NIOHTTP1

extension HLSOrigin {
    /// Outcome of a request at this moment.
    enum Answer {
        case respond(HLSResponse)
        /// The request is judged again when `condition` is met; after `seconds` the response is
        /// `late`.
        case wait(
            PackagedStream, PackagedStream.Condition, seconds: Double, late: HLSResponse)
    }

    static let playlistType = "application/vnd.apple.mpegurl"
    /// Header with the time when a segment or part could first be requested: CLOCK_MONOTONIC of
    /// this machine, in ns.
    static let publishedHeader = "Millrace-Published"
    static let masterFile = "master.m3u8"
    static let mediaFile = "index.m3u8"

    func answer(_ request: HLSRequest) -> Answer {
        switch request.file {
        case Self.masterFile: return multivariant(request)
        case Self.mediaFile: return media(request)
        default: return resource(request)
        }
    }

    /// - Parameter seconds: Seconds of the target duration; a response may be kept for one
    ///   (rfc8216bis, B.1).
    private func notFound(
        _ why: String, keep seconds: Double, retry: Bool = false
    ) -> HLSResponse {
        HLSResponse(
            status: .notFound,
            headers: ["Content-Type: text/plain; charset=utf-8", Self.caching(seconds)]
                + (retry ? ["Retry-After: \(max(1, Int(configuration.segmentSeconds)))"] : []),
            body: ByteBuffer(string: why + "\n"))
    }

    private static func caching(_ seconds: Double) -> String {
        "Cache-Control: max-age=\(max(1, Int(seconds)))"
    }

    private func noStream(_ name: String) -> HLSResponse {
        // The names of other streams are not revealed to clients that do not know them.
        notFound("Nobody publishes \(name.printable).", keep: 1, retry: true)
    }

    private func notYet(_ name: String, _ problem: String?) -> HLSResponse {
        let why = problem.map { ": \($0)." } ?? "; try again soon."
        return notFound(
            "The first segment of \(name.printable) is not ready yet\(why)", keep: 1,
            retry: problem == nil)
    }

    // MARK: Multivariant playlists

    private func multivariant(_ request: HLSRequest) -> Answer {
        let members = members(ofChannel: request.name)
        guard !members.isEmpty else { return .respond(noStream(request.name)) }
        var variants: [(variant: MultivariantPlaylist.Variant, isIndependent: Bool)] = []
        var waitsFor: PackagedStream?
        for member in members {
            let uri = "../\(Self.escaped(member.name.split(separator: "/").last ?? ""))/index.m3u8"
            let own = member.read { segmenter in
                segmenter.variant(uri: uri).map {
                    ($0, segmenter.playlist?.hasIndependentSegments ?? false)
                }
            }
            if let own {
                variants.append(own)
            } else if member.problem == nil, !member.read(\.isFinished) {
                waitsFor = waitsFor ?? member
            }
        }
        variants.sort { $0.variant.bandwidth > $1.variant.bandwidth }
        let playlist = MultivariantPlaylist(
            version: configuration.container == .fmp4 ? 6 : 3,
            hasIndependentSegments: variants.allSatisfy(\.isIndependent),
            variants: variants.map(\.variant))
        let body = ByteBuffer(string: playlist.text)
        let now =
            variants.isEmpty
            ? notYet(request.name, members.compactMap(\.problem).first)
            : HLSResponse(
                status: .ok,
                headers: [
                    "Content-Type: \(Self.playlistType)",
                    Self.caching(configuration.segmentSeconds),
                ], body: body)
        // A player reads this playlist once, so it should contain the renditions that are about to
        // begin.
        guard let waitsFor else { return .respond(now) }
        return .wait(
            waitsFor, .firstSegment, seconds: configuration.firstSegmentWaitSeconds, late: now)
    }

    // MARK: Media playlists

    private func media(_ request: HLSRequest) -> Answer {
        guard let stream = stream(request.name) else { return .respond(noStream(request.name)) }
        let state = stream.read { segmenter in
            (
                target: segmenter.targetDuration, isLowLatency: segmenter.isLowLatency,
                availability: request.sequence.map {
                    segmenter.availability(sequence: $0, part: request.part)
                }, isFinished: segmenter.isFinished
            )
        }
        guard let target = state.target else {
            let late = notYet(request.name, stream.problem)
            if stream.problem != nil || state.isFinished { return .respond(late) }
            return .wait(
                stream, .firstSegment, seconds: configuration.firstSegmentWaitSeconds, late: late)
        }
        let duration = Double(target)
        // Without CAN-BLOCK-RELOAD, directives mean nothing.
        if state.isLowLatency, let sequence = request.sequence,
            let availability = state.availability
        {
            switch availability {
            case .available: break
            case .tooFarAhead:
                let next = stream.read(\.nextSequence)
                return .respond(
                    Self.badRequest(
                        "_HLS_msn=\(sequence) is too far ahead: segment \(next) is being made.\n"))
            case .notYet:
                let late = HLSResponse(
                    status: .serviceUnavailable,
                    headers: [
                        "Content-Type: text/plain; charset=utf-8", "Cache-Control: no-store",
                    ],
                    body: ByteBuffer(
                        string: "Segment \(sequence) has not come within three target durations.\n")
                )
                return .wait(
                    stream, .position(sequence: sequence, part: request.part),
                    seconds: 3 * duration, late: late)
            }
        }
        let reports = siblings(of: request.name).compactMap { sibling in
            let uri = "../\(Self.escaped(sibling.name.split(separator: "/").last ?? ""))/index.m3u8"
            return sibling.read { $0.report(uri: uri) }
        }
        guard
            let text = stream.playlistText(
                reports: reports, skips: request.skips && state.isLowLatency)
        else { return .respond(notYet(request.name, stream.problem)) }
        let isBlocking = state.isLowLatency && request.sequence != nil
        return .respond(
            HLSResponse(
                status: .ok,
                headers: [
                    "Content-Type: \(Self.playlistType)",
                    Self.caching(isBlocking ? 6 * duration : duration / 2),
                ], body: text))
    }

    static func badRequest(_ why: String) -> HLSResponse {
        HLSResponse(
            status: .badRequest,
            headers: ["Content-Type: text/plain; charset=utf-8", "Cache-Control: no-store"],
            body: ByteBuffer(string: why))
    }

    // MARK: Segments, parts and initialization sections

    private func resource(_ request: HLSRequest) -> Answer {
        guard let stream = stream(request.name) else { return .respond(noStream(request.name)) }
        let state = stream.read { segmenter in
            (
                resource: segmenter.resource(request.file),
                isHinted: segmenter.isLowLatency && !segmenter.isFinished
                    && segmenter.hintedPart == request.file,
                target: Double(segmenter.targetDuration ?? 1)
            )
        }
        guard let resource = state.resource else {
            let missing = notFound(
                "There is no \(request.file.printable) here, or no longer.",
                keep: state.isHinted ? 4 * state.target : state.target)
            guard state.isHinted else { return .respond(missing) }
            return .wait(
                stream, .resource(request.file), seconds: 3 * state.target, late: missing)
        }
        var headers = [
            "Content-Type: \(resource.contentType)",
            // A name never gets another meaning.
            "Cache-Control: max-age=86400, immutable", "Accept-Ranges: bytes",
        ]
        if let published = resource.publishedNanoseconds {
            headers.append("\(Self.publishedHeader): \(published)")
        }
        let count = resource.bytes.readableBytes
        switch ByteRangeRequest(request.range, of: count) {
        case .whole:
            return .respond(HLSResponse(status: .ok, headers: headers, body: resource.bytes))
        case .part(let range):
            headers.append(
                "Content-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/\(count)")
            let start = resource.bytes.readerIndex + range.lowerBound
            let slice = resource.bytes.getSlice(at: start, length: range.count) ?? ByteBuffer()
            return .respond(HLSResponse(status: .partialContent, headers: headers, body: slice))
        case .unsatisfiable:
            return .respond(
                HLSResponse(
                    status: .rangeNotSatisfiable, headers: ["Content-Range: bytes */\(count)"],
                    body: ByteBuffer()))
        }
    }

    /// Percent-encodes a path component (RFC 3986, 2.3).
    static func escaped(_ component: Substring) -> String {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~".utf8)
        var bytes: [UInt8] = []
        for byte in component.utf8 {
            if plain.contains(byte) {
                bytes.append(byte)
            } else {
                let digits = Array("0123456789ABCDEF".utf8)
                bytes += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
