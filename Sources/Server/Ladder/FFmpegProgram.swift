import Glibc
import Processes

/// The ffmpeg that makes renditions.
public enum FFmpegProgram {
    /// The absolute path of `configured`, or of `ffmpeg` in the PATH.
    ///
    /// - Throws: `LadderConfigurationError` that says how to install it.
    public static func path(_ configured: String?) throws(LadderConfigurationError) -> String {
        if let configured {
            guard access(configured, X_OK) == 0 else {
                throw LadderConfigurationError(
                    "the ladder's encoder \(configured) is missing or cannot be executed; install ffmpeg with: apt-get install ffmpeg"
                )
            }
            return configured
        }
        if let path = Program.find("ffmpeg") { return path }
        throw LadderConfigurationError(
            "a ladder needs ffmpeg with libx264, and there is none in the PATH; install it with: apt-get install ffmpeg"
        )
    }
}
