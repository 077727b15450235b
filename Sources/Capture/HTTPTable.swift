// How bytes of HTTP responses are attributed to renditions.
//
// A response's bytes belong to the request that they answer, by position in the stream, so that
// keep-alive, pipelining, late and repeated packets are distinguished. The request's path belongs
// to the captured playlist that lists it (`HTTPResourceMap`), or else to a pattern, or else to no
// rendition. Every captured byte is in one row.
//
// Rates, mux overhead and the reconciliation are those of responses, not of packets: of responses
// that were requested in the window and came whole, wherever their packets fall. A client that
// resets its connection has not read the last response. Bytes that edges send have a table of their
// own (vantage `edge`), because the edges' own requests arrive at the server's port.

import SimulationKernel

/// The rows of HTTP traffic, and the attribution of responses to rows.
final class HTTPTable {
    /// Largest number of paths kept that no playlist has listed yet; a later playlist may list
    /// them.
    static let unresolvedLimit = 20_000
    /// Largest number of rows of renditions.
    static let rowLimit = 4_096

    private enum Owner: Hashable {
        case place(HTTPResourceMap.Place)
        case path(server: String, target: String)
        case nobody(HTTPResourceKind)
    }

    private struct Entry {
        var owner: Owner
        var row: HTTPTrafficRow
        /// Number of responses in `mediaPayloadBytes` for which the duration is looked up at the
        /// end.
        var untimed = 0
    }

    let map = HTTPResourceMap()
    /// Window of the analyzer's options.
    var window: Window?
    private let patterns: [HTTPPathPattern]
    private var entries: [Entry] = []
    private var indices: [Owner: Int] = [:]
    private var unresolved = 0
    /// Bodies that could not be decoded, by their coding; at most 32 codings.
    private(set) var unreadBodies: [String: Int] = [:]

    init(_ options: CaptureOptions) { patterns = Array(options.httpPatterns.prefix(1_024)) }

    /// Returns the entry for a response to `target`; nil means that no request was seen.
    func entry(target: String?, server: String) -> Int {
        guard let target else { return entry(.nobody(.other)) }
        let place = map.place(of: target, server: server)
        // A playlist states the duration of a part that is only hinted later.
        let isHinted =
            place?.kind == .part && map.duration(of: target, server: server) == 0
        if let place, !isHinted { return entry(.place(place)) }
        if unresolved < Self.unresolvedLimit {
            let cut = String(
                decoding: target.utf8.prefix(HTTPResourceMap.pathLimit), as: UTF8.self)
            return entry(.path(server: server, target: cut))
        }
        return entry(owner(target, server))
    }

    func countUnread(_ coding: String) {
        let name = String(coding.prefix(40))
        guard unreadBodies[name] != nil || unreadBodies.count < 32 else { return }
        unreadBodies[name, default: 0] += 1
    }

    func isInWindow(_ time: Int64) -> Bool { window?.contains(time) ?? true }

    private func entry(_ owner: Owner) -> Int {
        if let known = indices[owner] { return known }
        var owner = owner
        switch owner {
        case .path: unresolved += 1
        case .place where entries.count - unresolved >= Self.rowLimit:
            owner = .nobody(.other)
            if let known = indices[owner] { return known }
        default: break
        }
        entries.append(
            Entry(
                owner: owner,
                row: HTTPTrafficRow(rendition: HTTPTrafficRow.unattributed, kind: .other)))
        indices[owner] = entries.count - 1
        return entries.count - 1
    }

    /// Owner of a path by what is known now: playlists count first, then patterns.
    private func owner(_ target: String, _ server: String) -> Owner {
        if let place = map.place(of: target, server: server) { return .place(place) }
        let path = target.prefix { $0 != "?" && $0 != "#" }
        let kind = HTTPResourceKind(path: path)
        if let pattern = patterns.first(where: { $0.matches(path) }) {
            return .place(
                .init(rendition: pattern.rendition, kind: pattern.kind ?? kind ?? .other))
        }
        return .nobody(kind ?? .other)
    }

    /// Counts a response with a header that came at `time`.
    func began(_ index: Int, status: Int, time: Int64) {
        guard isInWindow(time) else { return }
        entries[index].row.responses += 1
        if status >= 400 { entries[index].row.failures += 1 }
    }

    /// Counts a response that came whole.
    func add(whole response: HTTPResponseSpans.Whole, to index: Int) {
        let payload = response.payload - response.retransmitted
        entries[index].row.wholePayloadBytes.add(clamping: payload)
        // A partial response (206) says nothing about the segment's duration.
        guard !response.isRange else { return }
        if case .path = entries[index].owner {
            entries[index].untimed += 1
        } else {
            guard response.seconds > 0 else { return }
            entries[index].row.mediaSeconds += response.seconds
        }
        entries[index].row.mediaPayloadBytes.add(clamping: payload)
        entries[index].row.mediaWireBytes.add(clamping: response.wire)
    }

    func add(_ index: Int, payload: Int, wire: Int, retransmitted: Int) {
        entries[index].row.payloadBytes.add(clamping: payload)
        entries[index].row.wireBytes.add(clamping: wire)
        entries[index].row.retransmittedBytes.add(clamping: retransmitted)
    }

    /// Rows in the order of renditions and kinds.
    var rows: [HTTPTrafficRow] {
        var rows: [HTTPResourceMap.Place: HTTPTrafficRow] = [:]
        for entry in entries {
            var owner = entry.owner
            var row = entry.row
            if case .path(let server, let target) = owner {
                owner = self.owner(target, server)
                let seconds = map.duration(of: target, server: server)
                row.mediaSeconds = Double(entry.untimed) * seconds
                if seconds == 0 { (row.mediaPayloadBytes, row.mediaWireBytes) = (0, 0) }
            }
            let place: HTTPResourceMap.Place
            switch owner {
            case .place(let own): place = own
            case .nobody(let kind):
                place = .init(rendition: HTTPTrafficRow.unattributed, kind: kind)
            case .path: continue
            }
            rows[place, default: .init(rendition: place.rendition, kind: place.kind)].add(row)
        }
        return rows.values.filter {
            $0.payloadBytes > 0 || $0.responses > 0 || $0.wholePayloadBytes > 0
        }.sorted {
            ($0.rendition, $0.kind.rawValue) < ($1.rendition, $1.kind.rawValue)
        }
    }
}
