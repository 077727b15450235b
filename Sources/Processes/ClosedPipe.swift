/// Pipes that no child inherits by accident.
public enum ClosedPipe {
    /// Both ends close on exec; nil where the process has no descriptor left (errno tells).
    public static func make() -> (read: Int32, write: Int32)? { ProcessSpawner.shared.pipe() }
}
