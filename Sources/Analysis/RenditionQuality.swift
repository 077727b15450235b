/// Quality of a rendition's pictures against the source's, as ffmpeg measured it.
package struct RenditionQuality: Codable, Sendable, Equatable {
    /// Mean over frames and planes; 1 means equal.
    var ssim: Double
    /// PSNR of the mean squared error of all frames and planes; nil = no difference at all.
    var psnrDecibels: Double?
    /// Number of compared frames of the rendition.
    var frames: Int

    package init(ssim: Double, psnrDecibels: Double? = nil, frames: Int) {
        self.ssim = ssim
        self.psnrDecibels = psnrDecibels
        self.frames = frames
    }
}
