public import Media

/// One rendition of a ladder that ffmpeg makes of the source.
public struct LadderRendition: Sendable, Codable, Hashable {
    /// Name, which is appended to the source's name after a `_`.
    public var name: String
    /// Luma samples in a row, even, 16…8192.
    public var width: Int
    public var height: Int
    /// Largest frame rate: no frame is repeated if the source has fewer.
    public var framesPerSecond: FrameRate
    /// Bit rate of the video, 10 000…500 000 000.
    public var videoBitsPerSecond: Int
    /// Bit rate of the audio, 8 000…512 000; 0 = no audio.
    public var audioBitsPerSecond: Int

    public init(
        name: String, width: Int, height: Int, framesPerSecond: FrameRate,
        videoBitsPerSecond: Int, audioBitsPerSecond: Int
    ) {
        self.name = name
        self.width = width
        self.height = height
        self.framesPerSecond = framesPerSecond
        self.videoBitsPerSecond = videoBitsPerSecond
        self.audioBitsPerSecond = audioBitsPerSecond
    }

    /// Reads `NAME:WIDTHxHEIGHT@FPS:VIDEO+AUDIO`, rates in kbit/s:
    /// `720p:1280x720@30000/1001:2500+128`.
    ///
    /// - Throws: `LadderConfigurationError` that shows the notation.
    public init(notation: String) throws(LadderConfigurationError) {
        let wrong = LadderConfigurationError(
            "'\(notation)' is no rendition; it takes NAME:WIDTHxHEIGHT@FPS:VIDEO+AUDIO with rates in "
                + "kbit/s, for example 720p:1280x720@30:2500+128 (audio 0 = none)")
        let parts = notation.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw wrong }
        let picture = parts[1].split(separator: "@", omittingEmptySubsequences: false)
        let rates = parts[2].split(separator: "+", omittingEmptySubsequences: false).map {
            Int($0)
        }
        guard picture.count == 2, rates.count == 2, let video = rates[0], let audio = rates[1],
            abs(video) < 1 << 40, abs(audio) < 1 << 40
        else { throw wrong }
        let sides = picture[0].split(separator: "x", omittingEmptySubsequences: false).map {
            Int($0)
        }
        let fps = picture[1].split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard sides.count == 2, let width = sides[0], let height = sides[1],
            (1...2).contains(fps.count), let numerator = fps[0], let denominator = fps.last ?? nil
        else { throw wrong }
        self.init(
            name: String(parts[0]), width: width, height: height,
            framesPerSecond: FrameRate(numerator, over: fps.count == 2 ? denominator : 1),
            videoBitsPerSecond: video * 1000, audioBitsPerSecond: audio * 1000)
        try check()
    }

    /// - Throws: `LadderConfigurationError` that names the rendition and the setting out of its
    ///   range.
    public func check() throws(LadderConfigurationError) {
        let allowed = name.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard allowed, (1...64).contains(name.utf8.count) else {
            throw LadderConfigurationError(
                "a rendition is called '\(name)'; names have 1 to 64 of A-Z, a-z, 0-9, '-', '_', '.'"
            )
        }
        for (side, what) in [(width, "wide"), (height, "high")] {
            guard (16...8192).contains(side), side % 2 == 0 else {
                throw LadderConfigurationError(
                    "rendition \(name) is \(side) samples \(what); it takes even numbers from 16 to 8192"
                )
            }
        }
        let rate = framesPerSecond
        guard (1...240_000).contains(rate.numerator), (1...10_000).contains(rate.denominator),
            (1.0...240.0).contains(rate.doubleValue)
        else {
            throw LadderConfigurationError(
                "rendition \(name) has \(rate) frames per second; it takes 1 to 240, as 30 or 30000/1001"
            )
        }
        guard (10_000...500_000_000).contains(videoBitsPerSecond) else {
            throw LadderConfigurationError(
                "rendition \(name) has \(videoBitsPerSecond / 1000) kbit/s of video; it takes 10 to 500000"
            )
        }
        guard audioBitsPerSecond == 0 || (8_000...512_000).contains(audioBitsPerSecond) else {
            throw LadderConfigurationError(
                "rendition \(name) has \(audioBitsPerSecond / 1000) kbit/s of audio; it takes 8 to 512, or 0 for none"
            )
        }
    }
}
