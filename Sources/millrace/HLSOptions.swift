import ArgumentParser
import HLS
import Server

/// Options of `millrace serve` for HLS.
struct HLSOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Package every stream as HLS, in MPEG transport streams (ts) or fragmented MP4 (fmp4).",
            valueName: "ts|fmp4"))
    var hls: HLSContainer?
    @Option(
        help: ArgumentHelp(
            "A segment ends at the first key frame after this, 500ms to 60s. Give publishers a key frame as often: otherwise segments are longer.",
            valueName: "duration"))
    var hlsSegment = HLSDuration(seconds: 2)
    @Option(
        help: ArgumentHelp(
            "Low-latency HLS with parts of this length, 100ms to a segment; a fourth of a segment is a good choice.",
            valueName: "duration"))
    var hlsPart: HLSDuration?
    @Option(
        help: ArgumentHelp(
            "What a playlist lists: how far viewers can go back.", valueName: "duration"))
    var hlsWindow = HLSDuration(seconds: 60)

    func validate() throws {
        if hls == nil, hlsPart != nil {
            throw ValidationError("--hls-part needs --hls ts or --hls fmp4")
        }
        if let problem = configuration?.problem { throw ValidationError(problem) }
    }

    var configuration: HLSConfiguration? {
        guard let hls else { return nil }
        var configuration = HLSConfiguration()
        configuration.container = hls == .ts ? .ts : .fmp4
        configuration.segmentSeconds = hlsSegment.seconds
        configuration.partSeconds = hlsPart?.seconds
        configuration.windowSeconds = hlsWindow.seconds
        return configuration
    }
}

enum HLSContainer: String, ExpressibleByArgument, CaseIterable {
    case ts, fmp4
}
