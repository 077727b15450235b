import Foundation
package import Netem
package import Results
import SimulationKernel

/// A value with its name in results.
package struct NamedInput<Value: Sendable>: Sendable {
    package var name: String
    package var value: Value
    /// File that the value was read from; nil if the value was generated.
    package var input: Manifest.Input?

    package init(name: String, value: Value, input: Manifest.Input? = nil) {
        self.name = name
        self.value = value
        self.input = input
    }
}

/// Turns a rate, the name of a link profile, a trace file or a folder of such files into traces.
package enum TraceInput {
    /// Refuses a trace that asks for losses. The flow level has no packets that could be lost, and
    /// losses must not be ignored.
    package static func refuseLoss(_ trace: NamedInput<LinkTrace>) throws(InputFault) {
        guard case .schedule(let schedule) = trace.value,
            schedule.periods.contains(where: { $0.loss > 0 })
        else { return }
        throw InputFault(
            message:
                "\(trace.input?.path ?? trace.name) has a loss column; the simulator works with flows and cannot "
                + "lose packets: take the column out")
    }

    /// Returns the only trace of a link.
    package static func trace(
        named text: String, seed: UInt64, folder: String
    ) throws -> NamedInput<LinkTrace> {
        let traces = try traces(named: text, seed: seed, folder: folder)
        guard traces.count == 1, let trace = traces.first else {
            throw InputFault(message: "'\(text)' is a folder; name one trace file")
        }
        try refuseLoss(trace)
        return trace
    }

    package static func traces(
        named text: String, seed: UInt64, folder: String
    ) throws -> [NamedInput<LinkTrace>] {
        if let rate = Quantity.bitrate.parse(text) {
            guard (1...Quantity.bitrate.maximum).contains(rate) else {
                throw InputFault(
                    message: "'\(text)' is no rate of a link: give 1bps to "
                        + Quantity.bitrate.format(Quantity.bitrate.maximum))
            }
            return [
                .init(
                    name: text,
                    value: .schedule(RateSchedule(constant: Bitrate(bitsPerSecond: Int(rate)))))
            ]
        }
        if LinkProfile.all.contains(where: { $0.name == text }) {
            let profile = try LinkProfile.named(text)
            return [.init(name: text, value: .schedule(profile.schedule(.down, seed: seed)))]
        }
        let path = text.hasPrefix("/") ? text : "\(folder)/\(text)"
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            let names = LinkProfile.all.map(\.name)
            let nearest = NameDistance.nearest(to: text, among: names)
            throw InputFault(
                message: "there is no file '\(text)' and no link profile of that name; "
                    + (nearest.map { "did you mean '\($0)'?" }
                        ?? "profiles: \(names.joined(separator: ", "))"))
        }
        guard isFolder.boolValue else { return [try trace(path)] }
        let files = try InputFiles.inFolder(path)
        guard !files.isEmpty else { throw InputFault(message: "the folder '\(text)' is empty") }
        return try files.map(trace)
    }

    private static func trace(_ path: String) throws -> NamedInput<LinkTrace> {
        let bytes = try TraceReader.contents(ofFile: path)
        return .init(
            name: InputFiles.name(path), value: try TraceReader.read(bytes, file: path),
            input: InputFiles.input(path, bytes))
    }
}
