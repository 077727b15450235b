/// Makes pipes that no child inherits by accident.
public enum ClosedPipe {
    /// Makes a pipe with ends that close on exec; nil if the process has no descriptor left
    /// (`errno` has the reason).
    public static func make() -> (read: Int32, write: Int32)? { ProcessSpawner.pipe() }
}
