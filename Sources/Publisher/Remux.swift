import Glibc
import Media
import Processes
import Sockets

/// Remuxes any container into FLV once, with the installed ffmpeg. Nothing is re-encoded.
enum Remux {
    /// Returns the streams of `path`. A remuxed copy is read into memory, and its file is removed
    /// before the return.
    /// - Throws: `PublisherError` if ffmpeg is missing or cannot copy the streams.
    static func source(of path: String) throws -> FileSource {
        let copy = try flv(of: path)
        defer { if copy != path { unlink(copy) } }
        return try FileSource(path: copy)
    }

    /// Returns the path of an FLV file with the streams of `path`: `path` itself if it is FLV,
    /// otherwise a copy in the temporary directory that the caller removes.
    static func flv(of path: String) throws -> String {
        // A pipe or a device cannot be read again from its beginning, and may keep a reader
        // waiting.
        if let problem = fileProblem(path) {
            throw PublisherError(
                description:
                    "cannot open '\(path)': \(problem); give a file of video, such as FLV or MP4",
                isFinal: true)
        }
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else {
            throw PublisherError(
                description: "cannot open '\(path)': \(String(cString: strerror(errno)))",
                isFinal: true)
        }
        var magic = [UInt8](repeating: 0, count: 3)
        let count = read(fd, &magic, 3)
        close(fd)
        guard count > 0 else {
            throw PublisherError(
                description: "'\(path)' is empty; give a file of video, such as FLV or MP4",
                isFinal: true)
        }
        if count == 3, magic == Array("FLV".utf8) { return path }
        let target = try temporaryPath()
        let arguments = [
            "-nostdin", "-v", "error", "-y", "-i", path, "-map", "0:v:0?", "-map",
            "0:a:0?", "-c", "copy", "-f", "flv", target,
        ]
        let code = try run(arguments)
        guard code == 0 else {
            unlink(target)
            throw PublisherError(
                description:
                    "ffmpeg cannot copy '\(path)' into FLV (exit code \(code)); it must hold H.264 and AAC or MP3. Re-encode it: ffmpeg -i '\(path)' -c:v libx264 -c:a aac out.flv",
                isFinal: true)
        }
        return target
    }

    /// Creates a new file under a name that nobody can predict.
    private static func temporaryPath() throws(PublisherError) -> String {
        let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var name = Array("\(directory)/millrace-XXXXXX.flv".utf8CString)
        let descriptor = mkstemps(&name, 4)
        guard descriptor >= 0 else {
            throw PublisherError(
                description:
                    "no temporary file can be made in \(directory): \(String(cString: strerror(errno))); give another folder with TMPDIR",
                isFinal: true)
        }
        close(descriptor)
        return String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func run(_ arguments: [String]) throws(PublisherError) -> Int32 {
        guard let program = Program.find("ffmpeg") else {
            throw PublisherError(
                description: "ffmpeg is not installed: apt-get install ffmpeg, or give an FLV file",
                isFinal: true)
        }
        do {
            return try Program.run(
                program, arguments, output: .standardError, endsWithCaller: true
            ).status.shellCode
        } catch {
            throw PublisherError(description: "cannot start ffmpeg: \(error)", isFinal: true)
        }
    }
}
