import FoundationEssentials
import Glibc
import HLS
import HTTPFetch
import HTTPWire
import NIOCore

/// Source of playlists and segments: a server or files.
enum ResourceSource: Sendable {
    case http(HTTPGetter)
    case files

    var isHTTP: Bool {
        if case .http = self { true } else { false }
    }

    /// Resolves a URI in the playlist at `base`. File names in a playlist may be percent-encoded or
    /// (wrongly) not: the file that exists is taken.
    func reference(_ uri: String, against base: String) -> String {
        let written = URIReference.resolve(uri, against: base)
        // A playlist that was saved to a file may name segments on a server.
        guard !isHTTP, !isElsewhere(written) else { return written }
        let path = String(written.prefix { $0 != "?" && $0 != "#" })
        let decoded = URIReference.percentDecoded(path)
        return [written, path].first { access($0, F_OK) == 0 } ?? decoded
    }

    /// Whether a location is a URL although this program reads files.
    func isElsewhere(_ location: String) -> Bool { !isHTTP && location.contains("://") }

    /// - Throws: `FetchError` if nothing responds; a missing file counts as a response of 404.
    func load(
        _ location: String, range: Range<Int>? = nil, timeout: Duration = .seconds(15)
    ) async throws(FetchError) -> FetchedResource {
        switch self {
        case .http(let getter):
            return FetchedResource(
                try await getter.get(location, range: range, timeout: timeout))
        case .files:
            guard !isElsewhere(location) else {
                throw FetchError.ownLimit(
                    "\(location) is on a server, and files are looked at: name the playlist's URL")
            }
            return try Self.file(location, range: range)
        }
    }

    private static func file(
        _ path: String, range: Range<Int>?
    ) throws(FetchError) -> FetchedResource {
        var information = stat()
        guard stat(path, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            return FetchedResource(
                response: .init(url: path, status: 404, headers: [:]), body: ByteBuffer(),
                seconds: 0)
        }
        let size = Int(information.st_size)
        let wanted = range ?? 0..<size
        guard wanted.upperBound <= size else {
            return FetchedResource(
                response: .init(url: path, status: 416, headers: [:]), body: ByteBuffer(),
                seconds: 0)
        }
        guard wanted.count <= HTTPGetter.bodyLimit else {
            throw FetchError.ownLimit(
                "what is asked for of \(path) is longer than \(HTTPGetter.bodyLimit >> 20) MiB, and is not read"
            )
        }
        return FetchedResource(
            response: .init(url: path, status: range == nil ? 200 : 206, headers: [:]),
            body: try read(wanted, of: path), seconds: 0)
    }

    /// Reads only the bytes that are requested: a title may be one file of many gigabytes.
    private static func read(
        _ range: Range<Int>, of path: String
    ) throws(FetchError) -> ByteBuffer {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FetchError("\(path) cannot be read; is it yours?") }
        defer { close(descriptor) }
        var body = ByteBuffer()
        body.reserveCapacity(range.count)
        while body.readableBytes < range.count {
            let place = range.lowerBound + body.readableBytes
            let left = range.count - body.readableBytes
            let count = body.writeWithUnsafeMutableBytes(minimumWritableBytes: left) { room in
                max(0, pread(descriptor, room.baseAddress, min(left, room.count), off_t(place)))
            }
            // The file has become shorter in the meantime.
            guard count > 0 else { throw FetchError("\(path) cannot be read to its end") }
        }
        return body
    }

    /// Finds the playlist that a path names.
    ///
    /// - Throws: `FetchError` if there is none.
    static func path(_ target: String) throws(FetchError) -> String {
        var information = stat()
        guard stat(target, &information) == 0 else {
            throw FetchError(
                "there is no \(target); it takes an http:// or https:// URL, a playlist file or a directory"
            )
        }
        guard information.st_mode & S_IFMT == S_IFDIR else { return target }
        var directory = target[...]
        while directory.count > 1, directory.hasSuffix("/") { directory = directory.dropLast() }
        return try playlist(inDirectory: String(directory))
    }

    /// Finds the main playlist of a directory: its only one, or its only multivariant one.
    ///
    /// - Throws: `FetchError` that names the candidates.
    static func playlist(inDirectory directory: String) throws(FetchError) -> String {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [])
            .filter { $0.hasSuffix(".m3u8") || $0.hasSuffix(".m3u") }.sorted()
        if names.count == 1 { return "\(directory)/\(names[0])" }
        let multivariant = names.prefix(1_000).filter { name in
            FileManager.default.contents(atPath: "\(directory)/\(name)").map {
                String(decoding: $0.prefix(1 << 20), as: UTF8.self).contains("#EXT-X-STREAM-INF")
            } ?? false
        }
        if multivariant.count == 1 { return "\(directory)/\(multivariant[0])" }
        throw FetchError(
            names.isEmpty
                ? "\(directory) holds no .m3u8 file"
                : "\(directory) holds \(names.count) playlists, \(multivariant.count) of them multivariant; name one: \(names.prefix(10).joined(separator: ", "))"
        )
    }
}
