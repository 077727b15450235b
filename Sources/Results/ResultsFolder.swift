import Foundation

/// A results directory that has its final name from the beginning, because its command goes on in it
/// or runs others in it. Every file is replaced as a whole.
public struct ResultsFolder: Sendable {
    public let path: String

    /// Opens a directory that exists.
    public init(path: String) { self.path = path }

    /// Makes the directory `parent/runID`.
    ///
    /// - Parameter purpose: What the directory is of, such as `search`, for the error.
    /// - Throws: `ResultsError` if it cannot be made.
    public init(parent: String, runID: RunID, of purpose: String) throws(ResultsError) {
        path = "\(parent)/\(runID)"
        do {
            try FileManager.default.createDirectory(
                atPath: parent, withIntermediateDirectories: true)
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o750])
        } catch {
            throw ResultsError(
                path: path,
                message: "the directory of the \(purpose) cannot be made "
                    + "(\(error.localizedDescription)); give a writable one with --results")
        }
    }

    /// Replaces a file, in which secrets of URLs are hidden.
    ///
    /// - Throws: `ResultsError` if it cannot be written.
    public func write(_ text: String, to name: String) throws(ResultsError) {
        try write(unchanged: Redaction.urls(in: text), to: name)
    }

    /// Replaces a file by a value as JSON.
    ///
    /// - Throws: `ResultsError` if that cannot be encoded or written.
    public func write(json value: some Encodable, to name: String) throws(ResultsError) {
        let text: String
        do {
            text = try ResultsJSON.text(value)
        } catch {
            throw ResultsError(
                path: "\(path)/\(name)", message: "cannot be encoded as JSON: \(error)")
        }
        try write(text, to: name)
    }

    /// Replaces a file by a text as it is.
    ///
    /// - Parameters:
    ///   - name: Name in the directory. Folders in it are made.
    ///   - permissions: Permissions that the file has from the beginning.
    /// - Throws: `ResultsError` if it cannot be written.
    public func write(
        unchanged text: String, to name: String, permissions: Int = 0o640
    ) throws(ResultsError) {
        let file = URL(fileURLWithPath: "\(path)/\(name)")
        let partial = file.deletingLastPathComponent()
            .appendingPathComponent(".\(file.lastPathComponent).partial")
        do {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            // The file gets its permissions before its contents, and its contents before its name.
            guard
                FileManager.default.createFile(
                    atPath: partial.path, contents: nil,
                    attributes: [.posixPermissions: permissions])
            else { throw CocoaError(.fileWriteUnknown) }
            try Data(text.utf8).write(to: partial)
            guard rename(partial.path, file.path) == 0 else { throw CocoaError(.fileWriteUnknown) }
        } catch {
            try? FileManager.default.removeItem(at: partial)
            throw ResultsError(
                path: file.path,
                message: "cannot be written (\(error.localizedDescription)); is the disk full?")
        }
    }
}
