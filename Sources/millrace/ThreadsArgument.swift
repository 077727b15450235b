import ArgumentParser
import Server

/// Threads of a server on the command line: a number of event loops, or the name of a model in
/// which other threads send.
struct ThreadsArgument: ExpressibleByArgument {
    static let most = 64

    /// Number of event loops.
    var loops: Int
    /// Threads that write to receivers; nil = the event loops write.
    var senders: SenderModel?

    init(loops: Int) { self.loops = loops }

    init?(argument: String) {
        if let model = SenderModel(rawValue: argument) {
            loops = 1
            senders = model
        } else if let number = Int(argument), (1...Self.most).contains(number) {
            loops = number
        } else {
            return nil
        }
    }

    var defaultValueDescription: String { senders?.rawValue ?? "\(loops)" }
}
