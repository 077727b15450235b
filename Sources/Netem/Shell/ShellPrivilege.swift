import CLinux
import Glibc
import Processes
import Sockets

/// The right to make network namespaces and devices: root's, or that of a user namespace.
public enum ShellPrivilege {
    /// Gets that right for this process. Returns nil, or the reason why it cannot be had with the
    /// remedy. Without root, the process moves into a user and network namespace of its own, so the
    /// caller calls this before the process has a second thread, and only if the machine's network
    /// is not needed.
    public static func acquire() -> String? {
        if let obstacle = obstacle(asRoot: geteuid() == 0) { return obstacle }
        guard geteuid() != 0 else { return nil }
        let code = millrace_enter_user_namespace()
        return code == 0
            ? nil : "no user namespace: \(String(cString: strerror(-code))); run as root"
    }

    /// Lets the calling thread run before all threads that are not real-time, if that is allowed,
    /// with timers as exact as the kernel's. This is only for threads that mostly sleep.
    public static func preferThread() {
        Clock.sharpenTimers()
        _ = millrace_set_realtime()
    }

    /// Reason why the packet shell cannot run here; nil if it can.
    public static func obstacle(asRoot: Bool) -> String? {
        guard access(TunDevice.path, F_OK) == 0 else {
            return "there is no \(TunDevice.path); modprobe tun"
        }
        guard access(TunDevice.path, R_OK | W_OK) == 0 else {
            return
                "\(TunDevice.path) may not be opened; run as root, or: chmod 0666 \(TunDevice.path)"
        }
        if !asRoot, let limit = ProcFile.read("/proc/sys/user/max_user_namespaces"),
            SystemFiles.firstLine(limit) == "0"
        {
            return "user namespaces are off (sysctl user.max_user_namespaces); run as root"
        }
        return nil
    }
}
