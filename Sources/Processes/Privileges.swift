import CLinux
import Glibc

/// Gives up root's rights when they are no longer needed.
public enum Privileges {
    public struct Fault: Error, CustomStringConvertible {
        public var description: String
    }

    /// Environment variable in which a run names the user that its workers become.
    public static let workerVariable = "MILLRACE_WORKER_USER"

    /// User that this run's workers become; nil if they keep their rights.
    public static var workerUser: String? {
        getenv(workerVariable).map { String(cString: $0) }
    }

    /// Looks up the user with that name, before anything is opened for it.
    ///
    /// - Throws: `Fault` if there is no such user, or this process must not become another user.
    public static func check(_ name: String) throws(Fault) { _ = try find(name) }

    /// A user and its main group, by number.
    public struct Identity: Sendable {
        var user: uid_t
        var group: gid_t

        /// Name of the group; nil if the group has none.
        public var groupName: String? {
            getgrgid(group).map { String(cString: $0.pointee.gr_name) }
        }
    }

    /// Identity that this run's workers become; nil if they keep their rights.
    public static func workerIdentity() throws(Fault) -> Identity? {
        guard let name = workerUser else { return nil }
        return try find(name)
    }

    private static func find(_ name: String) throws(Fault) -> Identity {
        guard geteuid() == 0 else {
            throw Fault(
                description: "--user needs a start as root; leave it out, or start with sudo")
        }
        guard let entry = getpwnam(name) else {
            throw Fault(
                description:
                    "there is no user '\(name)'; give another --user, or make it: useradd --system \(name)"
            )
        }
        return Identity(user: entry.pointee.pw_uid, group: entry.pointee.pw_gid)
    }

    /// Makes all threads of this process run as that user, for good.
    public static func drop(to name: String) throws(Fault) {
        let who = try find(name)
        guard initgroups(name, who.group) == 0, setgid(who.group) == 0, setuid(who.user) == 0
        else {
            throw Fault(
                description: "cannot become '\(name)': \(String(cString: strerror(errno)))")
        }
        guard who.user == 0 || setuid(0) != 0 else {
            throw Fault(description: "root's rights are still there after becoming '\(name)'")
        }
    }

    /// Gives up root's rights in a worker: once its ports, captures and namespaces are open, the
    /// worker becomes the run's user, if there is one.
    public static func dropInWorker() throws(Fault) {
        guard let name = workerUser else { return }
        let parent = getppid()
        try drop(to: name)
        // The kernel clears the parent-death signal when a process changes its user.
        guard millrace_set_parent_death_signal(SIGKILL, parent) == 0 else {
            throw Fault(description: "the runner is gone")
        }
    }

    /// Gives a file or directory of a run to its workers' user.
    ///
    /// - Parameter onlyGroup: Whether the owner stays, and the user's group gets the rights that
    ///   the mode gives to a group.
    public static func giveToWorkers(_ path: String, onlyGroup: Bool = false) throws(Fault) {
        guard let who = try workerIdentity(), let name = workerUser else { return }
        guard chown(path, onlyGroup ? uid_t.max : who.user, who.group) == 0 else {
            throw Fault(
                description:
                    "\(path) cannot be given to '\(name)': \(String(cString: strerror(errno)))")
        }
    }
}
