import Processes
import Server
import Stacks

extension StackDriver {
    /// The server's processes as they are now. Guards and encoders in the server's process groups
    /// do not count as the server.
    var accountedGroups: [AccountedGroup] {
        get async {
            let groups = await processGroups.map {
                AccountedGroup(
                    role: "server", processGroup: $0, ignoredCommands: ["sh", "ffmpeg"])
            }
            let alone = await processes.map {
                AccountedGroup(
                    role: "server", processGroup: $0.pid, isAlone: true,
                    startTicks: $0.startTicks)
            }
            return groups + alone
        }
    }
}

extension TrialMember {
    var accountedGroup: AccountedGroup {
        AccountedGroup(role: accountedRole, processGroup: pid, name: name)
    }
}

extension EncoderWatch {
    /// The encoders' processes in a report of the server.
    static func accountedGroups(_ status: ServerStatus) -> [AccountedGroup] {
        processes(status).map { name, pid in
            AccountedGroup(
                role: AccountedGroup.encoderRole, processGroup: pid, isAlone: true, name: name)
        }
    }
}
