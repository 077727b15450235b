import FoundationEssentials
import Glibc
import HLS
import HTTPWire
import NIOCore

/// Where playlists and segments come from.
enum ResourceSource: Sendable {
    case http(HTTPGetter)
    case files

    var isHTTP: Bool {
        if case .http = self { true } else { false }
    }

    /// What a URI in the playlist at `base` means. Names of files stand in playlists percent-encoded,
    /// or (wrongly) as they are: the one that is there is taken.
    func reference(_ uri: String, against base: String) -> String {
        let written = URIReference.resolve(uri, against: base)
        guard !isHTTP else { return written }
        let path = String(written.prefix { $0 != "?" && $0 != "#" })
        let decoded = URIReference.percentDecoded(path)
        return [written, path].first { access($0, F_OK) == 0 } ?? decoded
    }

    /// - Throws: `FetchError` where nothing answers; a missing file is an answer of 404.
    func load(
        _ location: String, range: Range<Int>? = nil, timeout: Duration = .seconds(15)
    ) async throws(FetchError) -> FetchedResource {
        switch self {
        case .http(let getter):
            return try await getter.get(location, range: range, timeout: timeout)
        case .files:
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
        guard information.st_size <= HTTPGetter.bodyLimit else {
            throw FetchError("\(path) is longer than \(HTTPGetter.bodyLimit >> 20) MiB")
        }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw FetchError("\(path) cannot be read; is it yours?")
        }
        var body = ByteBuffer(bytes: data)
        if let range {
            guard let part = body.getSlice(at: range.lowerBound, length: range.count) else {
                return FetchedResource(
                    response: .init(url: path, status: 416, headers: [:]), body: ByteBuffer(),
                    seconds: 0)
            }
            body = part
        }
        return FetchedResource(
            response: .init(url: path, status: range == nil ? 200 : 206, headers: [:]), body: body,
            seconds: 0)
    }

    /// The playlist that a path names.
    ///
    /// - Throws: `FetchError` where there is none.
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

    /// The playlist that a directory is about: its only one, or the only multivariant one.
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
