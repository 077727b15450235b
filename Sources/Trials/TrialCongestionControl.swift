import Glibc
import NetemShell
import Processes
import Scenario
import Sockets

/// The congestion control of a trial: what the scenario wants, what this process may set, and what
/// the sockets of server and generators really have.
struct TrialCongestionControl: Sendable {
    /// Name of the scenario's congestion control.
    private let wanted: String
    /// The scenario's congestion control if this process may set it; nil = the system's is left.
    let permitted: String?
    /// Congestion control of the generators' and the embedded server's sockets.
    let used: String

    init(_ scenario: TrialScenario) {
        wanted = scenario.congestionControl.rawValue
        let isPermitted =
            geteuid() == 0 || Sockets.CongestionControl.available.contains(wanted)
        permitted = isPermitted ? wanted : nil
        used = isPermitted ? wanted : NetworkIsolation.defaultCongestionControl
    }

    /// Note about a congestion control that may not be set; nil if it may.
    var note: String? {
        guard permitted == nil else { return nil }
        return "the congestion control is the system's \(used), not \(wanted): "
            + "only root may set one that is not in tcp_allowed_congestion_control"
    }

    /// Note about a server that does not set the congestion control itself and has another one; nil
    /// if it has the right one.
    func serverNote(_ driver: StackSettings.Driver) -> String? {
        let standard = NetworkIsolation.defaultCongestionControl
        guard [.nginxRTMP, .command, .srs].contains(driver), let permitted, standard != permitted
        else { return nil }
        return
            "the server's sockets use \(standard), not \(permitted): run as root, so that the run gets a network namespace of its own"
    }

    /// The congestion control that publishers and viewers ask for. If they become a user who may
    /// not ask for the permitted one, they ask for none (nil): the routes of the run's own
    /// namespace set it for them.
    var ofClients: String? {
        guard let permitted, Privileges.workerUser != nil,
            !Sockets.CongestionControl.available.contains(permitted)
        else { return permitted }
        return nil
    }

    /// Note about publishers and viewers that have another congestion control; nil if they have the
    /// right one.
    var clientNote: String? {
        let standard = NetworkIsolation.defaultCongestionControl
        guard let permitted, ofClients == nil, standard != permitted else { return nil }
        return
            "publishers and viewers have the congestion control \(standard), not \(permitted): the user of --user may not choose it; add it to net.ipv4.tcp_allowed_congestion_control"
    }
}
