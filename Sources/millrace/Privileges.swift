import Glibc

/// Gives up root's rights once they are not needed any more.
enum Privileges {
    struct Fault: Error, CustomStringConvertible {
        var description: String
    }

    /// The user with that name, before anything is opened for it.
    ///
    /// - Throws: `Fault` where there is none, or this process may not become another user.
    static func find(_ name: String) throws(Fault) -> (user: uid_t, group: gid_t) {
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
        return (entry.pointee.pw_uid, entry.pointee.pw_gid)
    }

    /// Becomes that user, with all threads and for good.
    static func drop(to name: String) throws(Fault) {
        let (user, group) = try find(name)
        guard initgroups(name, group) == 0, setgid(group) == 0, setuid(user) == 0 else {
            throw Fault(
                description: "cannot become '\(name)': \(String(cString: strerror(errno)))")
        }
        guard user == 0 || setuid(0) != 0 else {
            throw Fault(description: "root's rights are still there after becoming '\(name)'")
        }
    }
}
