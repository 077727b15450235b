/// Parts of ITU-T P.1203 (10/2017), mode 0: quality per second from bit rate, resolution and frame
/// rate alone, on the scale 1 (bad) … 5 (excellent).
///
/// **Partial.** O.22 (video, P.1203.1), O.21 (audio, P.1203.2) and O.34 (both, per second,
/// P.1203.3) follow the published formulas; the session score O.46 needs the standard's decision
/// trees, which are not part of this project. The formulas are those for H.264 up to 1080p on a
/// large screen, and AAC-LC.
public enum P1203 {
    /// Facts about a rendition that P.1203 needs.
    public struct Rendition: Hashable, Sendable {
        /// Bit rate of the video in kbit/s, > 0.
        public var videoBitrate: Double
        /// Bit rate of the audio in kbit/s, 0 or more.
        public var audioBitrate: Double
        /// Size of a frame in pixels.
        public var width: Int
        public var height: Int
        /// Frames per second, > 0.
        public var frameRate: Double

        public init(
            videoBitrate: Double, audioBitrate: Double, width: Int, height: Int, frameRate: Double
        ) {
            self.videoBitrate = videoBitrate
            self.audioBitrate = audioBitrate
            self.width = width
            self.height = height
            self.frameRate = frameRate
        }
    }

    /// The three scores of a second of playback, each 1 … 5.
    public struct Score: Hashable, Sendable {
        /// Audio score O.21.
        public var audio: Double
        /// Video score O.22.
        public var video: Double
        /// Audiovisual score O.34.
        public var audiovisual: Double

        public init(_ rendition: Rendition, displayPixels: Double = P1203.displayPixels) {
            audio = P1203.audioQuality(bitrate: rendition.audioBitrate)
            video = P1203.videoQuality(rendition, displayPixels: displayPixels)
            audiovisual = P1203.audiovisualQuality(audio: audio, video: video)
        }
    }

    /// Number of pixels of a full-HD screen.
    public static let displayPixels = 1920.0 * 1080

    /// Returns the scores of each second of playback, stalls left out.
    /// - Parameter played: renditions in the order in which they were played, with durations in
    ///   seconds, > 0. A second in which renditions change counts as the rendition at its beginning
    ///   (the standard measures windows).
    /// - Returns: one score per begun second.
    public static func scores(
        _ played: [(rendition: Rendition, duration: Double)],
        displayPixels: Double = P1203.displayPixels
    ) -> [Score] {
        var result: [Score] = []
        var end = 0.0
        for (rendition, duration) in played {
            end += duration
            guard Double(result.count) < end else { continue }
            let score = Score(rendition, displayPixels: displayPixels)
            while Double(result.count) < end { result.append(score) }
        }
        return result
    }

    // MARK: O.22

    /// Coefficients a1 … a4 of the quantisation degradation.
    private static let quantisation = (11.9983519, -2.99991847, 41.2475074, 0.13183166)
    /// Coefficients q1 … q3 of the score for the quantisation degradation.
    private static let quantisationScore = (4.66, -0.07, 4.06)
    /// Coefficients u1, u2 of the upscaling degradation.
    private static let upscaling = (72.61, 0.32)
    /// Coefficients t1 … t3 of the frame rate degradation.
    private static let temporal = (30.98, 1.29, 64.65)
    /// Frame rate from which on there is no degradation.
    private static let fluentFrameRate = 24.0

    /// Returns O.22 of mode 0, 1 … 5.
    /// - Parameter displayPixels: number of pixels of the screen, to which the video is scaled.
    public static func videoQuality(
        _ rendition: Rendition, displayPixels: Double = P1203.displayPixels
    ) -> Double {
        let pixels = Double(rendition.width * rendition.height)
        let bitrate = rendition.videoBitrate
        guard pixels > 0, bitrate > 0, rendition.frameRate > 0 else { return 1 }
        let a = quantisation
        // The density is in kbit per pixel.
        let density = bitrate / (pixels * rendition.frameRate)
        let inner = a.2 + Title.logarithm(bitrate) + Title.logarithm(bitrate * density + a.3)
        // At rates far below those of any codec the logarithm's argument vanishes, which gives the
        // worst score.
        let quant = inner > 0 ? a.0 + a.1 * Title.logarithm(inner) : .infinity
        let q = quantisationScore
        let coded = clamp(q.0 + q.1 * exponential(q.2 * quant), 1, 5)
        let coding = clamp(100 - rating(ofScore: coded), 0, 100)
        let scale = max(displayPixels / pixels, 1)
        let scaling = clamp(
            upscaling.0 * Title.logarithm(upscaling.1 * (scale - 1) + 1) / Title.logarithm(10), 0,
            100)
        let rate = rendition.frameRate
        let jerkiness =
            rate < fluentFrameRate
            ? (100 - coding - scaling) * (temporal.0 - temporal.1 * rate) / (temporal.2 + rate) : 0
        return score(ofRating: 100 - clamp(coding + scaling + clamp(jerkiness, 0, 100), 0, 100))
    }

    // MARK: O.21 and O.34

    /// Coefficients of AAC-LC: degradation a1 e^(a2 b) + a3.
    private static let audio = (100.0, -0.05, 14.6)
    /// Coefficients of the constant, the audio, the video and the product.
    private static let combination = (-0.00069084, 0.15374283, 0.97153861, 0.02461776)

    /// Returns O.21 of AAC-LC, 1 … 5.
    /// - Parameter bitrate: kbit/s.
    public static func audioQuality(bitrate: Double) -> Double {
        let degradation = audio.0 * exponential(audio.1 * bitrate) + audio.2
        return score(ofRating: clamp(100 - degradation, 0, 100))
    }

    /// Returns O.34 of a second, 1 … 5.
    public static func audiovisualQuality(audio: Double, video: Double) -> Double {
        let c = combination
        return clamp(c.0 + c.1 * audio + c.2 * video + c.3 * audio * video, 1, 5)
    }

    // MARK: Scales

    /// Scores of the ratings 0 and 100.
    static let scoreRange = 1.05...4.9
    /// Rating at which the score is lowest: it falls (by 0.003) below this rating and rises above
    /// it.
    private static let lowestRating = 1.5861

    /// Returns the mean opinion score of a rating in 0 … 100.
    static func score(ofRating rating: Double) -> Double {
        let low = scoreRange.lowerBound
        let span = scoreRange.upperBound - low
        return low + span * rating / 100 + rating * (rating - 60) * (100 - rating) * 7e-6
    }

    /// Returns the inverse of `score(ofRating:)` by bisection, on the branch on which the score
    /// rises.
    static func rating(ofScore score: Double) -> Double {
        let wanted = clamp(score, scoreRange.lowerBound, scoreRange.upperBound)
        var low = lowestRating
        var high = 100.0
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if self.score(ofRating: middle) < wanted { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }

    private static func clamp(_ value: Double, _ low: Double, _ high: Double) -> Double {
        min(max(value, low), high)
    }
}
