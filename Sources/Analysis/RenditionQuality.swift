/// What ffmpeg says of a rendition's pictures against the source's.
struct RenditionQuality: Codable, Sendable, Equatable {
    /// Mean over frames and planes, 1 = alike.
    var ssim: Double
    /// Of the mean squared error of all frames and planes; nil = no difference at all.
    var psnrDecibels: Double?
    /// The rendition's.
    var frames: Int
}
