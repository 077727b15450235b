import Testing

@testable import ABR

/// Expected figures were worked out from the published formulas apart from this code.
@Suite struct P1203Tests {
    private func near(_ a: Double, _ b: Double, _ tolerance: Double = 1e-6) -> Bool {
        abs(a - b) < tolerance
    }

    private static func rendition(
        _ bitrate: Double, _ width: Int, _ height: Int, _ frameRate: Double
    ) -> P1203.Rendition {
        P1203.Rendition(
            videoBitrate: bitrate, audioBitrate: 128, width: width, height: height,
            frameRate: frameRate)
    }

    @Test func videoQuality() {
        let cases: [(P1203.Rendition, Double)] = [
            // Coding alone; coding and upscaling (10.61); a small picture (62.12); 15 frames per
            // second (10.18); far too little.
            (Self.rendition(6000, 1920, 1080, 25), 4.444_234_317),
            (Self.rendition(20_000, 1920, 1080, 24), 4.565_620_025),
            (Self.rendition(2500, 1280, 720, 25), 3.843_039_181),
            (Self.rendition(200, 426, 240, 25), 1.078_385_030),
            (Self.rendition(2500, 1280, 720, 15), 3.334_858_737),
            (Self.rendition(50, 1920, 1080, 60), 3.431_081_642),
            (Self.rendition(1, 1920, 1080, 60), 1.05),
        ]
        for (rendition, expected) in cases {
            let quality = P1203.videoQuality(rendition)
            #expect(near(quality, expected, 1e-2 * (expected == 1.05 ? 1 : 1e-4)), "\(rendition)")
        }
        // On a screen of its own size nothing is scaled.
        let small = P1203.videoQuality(
            Self.rendition(2500, 1280, 720, 25), displayPixels: 1280 * 720)
        #expect(near(small, 4.339_278_880))
        #expect(P1203.videoQuality(Self.rendition(0, 1280, 720, 25)) == 1)
    }

    @Test func audioQuality() {
        let cases = [
            (128.0, 4.553_814_018), (64, 4.407_674_519), (32, 3.643_341_430), (192, 4.559_353_511),
        ]
        for (bitrate, expected) in cases {
            #expect(near(P1203.audioQuality(bitrate: bitrate), expected))
        }
    }

    /// -0.00069084 + 0.15374283 x 4 + 0.97153861 x 3 + 0.02461776 x 12
    @Test func combination() {
        #expect(near(P1203.audiovisualQuality(audio: 4, video: 3), 3.824_309_43))
        #expect(P1203.audiovisualQuality(audio: 4.9, video: 4.9) == 5)
        #expect(P1203.audiovisualQuality(audio: 1, video: 1) > 1)
        let score = P1203.Score(Self.rendition(6000, 1920, 1080, 25))
        #expect(near(score.audio, 4.553_814_018))
        #expect(
            score.audiovisual == P1203.audiovisualQuality(audio: score.audio, video: score.video))
    }

    @Test func scales() {
        #expect(near(P1203.score(ofRating: 0), 1.05))
        #expect(near(P1203.score(ofRating: 60), 3.36))
        #expect(near(P1203.score(ofRating: 100), 4.9))
        for rating in stride(from: 5.0, through: 100, by: 2.5) {
            #expect(near(P1203.rating(ofScore: P1203.score(ofRating: rating)), rating, 1e-7))
        }
        #expect(near(P1203.rating(ofScore: 5), 100, 1e-7))
    }

    @Test func betterInputsAreNeverWorse() {
        var before = 0.0
        for bitrate in stride(from: 100.0, through: 12_000, by: 100) {
            let quality = P1203.videoQuality(Self.rendition(bitrate, 1280, 720, 25))
            #expect(quality >= before && (1...5).contains(quality))
            before = quality
        }
        before = 0
        for rate in stride(from: 1.0, through: 24, by: 1) {
            let quality = P1203.videoQuality(Self.rendition(3000, 1280, 720, rate))
            // More frames share the bits, but fluency gains more.
            #expect(quality >= before)
            before = quality
        }
    }

    /// A second belongs to what it begins with; a rest of a second counts.
    @Test func perSecond() {
        let low = Self.rendition(300, 640, 360, 25)
        let high = Self.rendition(3000, 1280, 720, 25)
        let scores = P1203.scores([(low, 2.5), (high, 0.4), (high, 1.2)])
        #expect(scores.count == 5)
        let (l, h) = (P1203.Score(low), P1203.Score(high))
        #expect(scores == [l, l, l, h, h])
        #expect(P1203.scores([]).isEmpty)
    }
}
