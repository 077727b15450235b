/// What ffmpeg says of a rendition's pictures against the source's.
package struct RenditionQuality: Codable, Sendable, Equatable {
    /// Mean over frames and planes, 1 = alike.
    var ssim: Double
    /// Of the mean squared error of all frames and planes; nil = no difference at all.
    var psnrDecibels: Double?
    /// The rendition's.
    var frames: Int

    package init(
        ssim: Double, psnrDecibels: Double? = nil, frames: Int
    ) {
        self.ssim = ssim
        self.psnrDecibels = psnrDecibels
        self.frames = frames
    }
}
