import Processes

/// The server in the course of a trial.
extension TrialRunner {
    func accountedServer() async -> [AccountedGroup] {
        await (driver?.processGroups ?? []).map {
            AccountedGroup(role: "server", processGroup: $0, ignoredCommands: ["sh", "ffmpeg"])
        }
    }

    /// A server that was started again has other processes.
    func followServer() async {
        let count = await driver?.restarts.count ?? 0
        guard count > 0 else { return }
        accounting?.replace("server", with: await accountedServer())
    }

    /// What a reader of the results should know.
    func serverNotes() async -> [String] {
        await (driver?.restarts ?? []).map { restart in
            func seconds(_ nanoseconds: Int64) -> String {
                "\((Double(nanoseconds - startNanoseconds) / 1e8).rounded() / 10) s"
            }
            let place =
                restart.endedNanoseconds >= window.startNanoseconds
                    && restart.endedNanoseconds < window.endNanoseconds
                ? ", in the steady window" : ""
            let back =
                restart.backNanoseconds.map { "started again at \(seconds($0))" }
                ?? "not started again"
            return "the server ended at \(seconds(restart.endedNanoseconds))\(place) "
                + "(\(restart.status)); \(back)"
        }
    }
}
