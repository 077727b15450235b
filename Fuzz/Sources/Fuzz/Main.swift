import CFuzzer
import Capture
import Glibc
import HLS
import HTTPWire
import Media
import Netem

/// The parsers that take bytes from strangers, by the name that `FUZZ_TARGET` gives.
private let targets: [String: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32] = [
    "chunk": { data, size in run(data, size, RTMPFuzz.chunkStream) },
    "amf0": { data, size in run(data, size, RTMPFuzz.amf0) },
    "amf3": { data, size in run(data, size, RTMPFuzz.amf3) },
    "flv": { data, size in run(data, size, FuzzEntry.fuzzFLV) },
    "h264": { data, size in run(data, size, FuzzEntry.fuzzH264Headers) },
    "ts": { data, size in run(data, size, FuzzEntry.fuzzTransportStream) },
    "mp4": { data, size in run(data, size, FuzzEntry.fuzzMP4) },
    "packet": { data, size in run(data, size, CaptureFuzz.fuzzPackets) },
    "pcap": { data, size in run(data, size, CaptureFuzz.fuzzPcap) },
    "trace": { data, size in run(data, size, NetemFuzz.fuzzTrace) },
    "http": { data, size in run(data, size, HTTPFuzz.fuzzHTTP) },
    "playlist": { data, size in run(data, size, HLSFuzz.fuzzPlaylist) },
    "session": { data, size in run(data, size, RTMPFuzz.session) },
    "segmenter": { data, size in run(data, size, HLSFuzz.fuzzSegmenter) },
    "link-log": { data, size in run(data, size, NetemFuzz.fuzzLog) },
]

private func run(
    _ data: UnsafePointer<UInt8>?, _ size: Int, _ body: (UnsafeRawBufferPointer) -> Void
) -> Int32 {
    body(UnsafeRawBufferPointer(start: data, count: size))
    return 0
}

/// SwiftPM calls an executable's main function so; libFuzzer's own `main` calls nothing of ours.
@_cdecl("Fuzz_main")
public func fuzzMain(
    _ argumentCount: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = targets[name] else {
        print("FUZZ_TARGET must be one of: \(targets.keys.sorted().joined(separator: ", "))")
        return 2
    }
    var count = argumentCount
    var list = arguments
    return LLVMFuzzerRunDriver(&count, &list, target)
}
