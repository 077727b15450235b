import CLinux
import Glibc
import Processes

/// A program in network, PID and mount namespaces of its own, with a TUN device as its default
/// route.
///
/// When the program ends, everything that it started ends. When this process dies, in whatever way,
/// the kernel kills all of it.
final class IsolatedProgram {
    struct Request {
        /// Program and its arguments, at least one word.
        var command: [String]
        var environment: [String: String]
        var device: String
        var address: IPv4Address
        var prefixLength: Int
        /// File that replaces /etc/resolv.conf.
        var resolverFile: String?
    }

    /// Message from the control socket.
    enum Message {
        /// The program could not be executed; the value is errno.
        case notExecuted(Int32)
        /// The program ended; the value is its wait status.
        case ended(Int32)
        /// The init process is gone without a message.
        case lost
    }

    /// Descriptor that is readable when there is a `message`.
    let control: Int32
    /// The program's end of the link.
    let tun: TunDevice
    private let initProcess: pid_t
    private let deviceName: String
    private var isReaped = false

    /// Number of packets that the queue of its device had no room for; 0 once the program is gone.
    var kernelDrops: Int { TunDevice.drops(of: deviceName, in: String(initProcess)) }

    /// Makes the namespaces; the program starts with `start`.
    /// - Throws: `ShellError`.
    init(_ request: Request) throws(ShellError) {
        let path = try Self.find(request.command[0])
        var isolated = millrace_isolated()
        let code = Self.spawn(request, path: path, &isolated)
        guard code == 0 else {
            throw .system(
                "cannot make namespaces for the program", code,
                "run as root, or allow user namespaces")
        }
        control = isolated.control
        initProcess = isolated.pid
        deviceName = request.device
        var value: Int32 = 0
        var descriptor: Int32 = -1
        let step = millrace_read_step(isolated.control, &value, &descriptor)
        guard step == Int32(MILLRACE_STEP_READY.rawValue), descriptor >= 0 else {
            close(isolated.control)
            kill(isolated.pid, SIGKILL)
            waitpid(isolated.pid, nil, 0)
            throw .system("cannot \(Self.name(ofStep: step))", value)
        }
        tun = TunDevice(owning: descriptor, name: request.device)
    }

    deinit {
        end()
        close(control)
    }

    func start() { send(0) }

    /// Sends the program a signal.
    func send(_ signal: Int32) {
        var byte = UInt8(truncatingIfNeeded: signal)
        _ = Glibc.send(control, &byte, 1, Int32(MSG_NOSIGNAL))
    }

    func message() -> Message {
        var value: Int32 = 0
        var descriptor: Int32 = -1
        switch millrace_read_step(control, &value, &descriptor) {
        case Int32(MILLRACE_STEP_EXECUTE.rawValue): return .notExecuted(value)
        case Int32(MILLRACE_STEP_ENDED.rawValue): return .ended(value)
        default: return .lost
        }
    }

    /// Kills the remaining processes, and waits until they are gone.
    func end() {
        guard !isReaped else { return }
        isReaped = true
        kill(initProcess, SIGKILL)
        while waitpid(initProcess, nil, 0) < 0, errno == EINTR {}
    }

    private static func name(ofStep step: Int32) -> String {
        switch UInt32(bitPattern: step) {
        case MILLRACE_STEP_MOUNTS.rawValue: "mount in the program's namespace"
        case MILLRACE_STEP_TUN.rawValue: "make a TUN device for the program from \(TunDevice.path)"
        case MILLRACE_STEP_INTERFACE.rawValue: "configure the program's TUN device"
        default: "make namespaces for the program"
        }
    }

    /// Finds the program as shells do, with their exit codes: 126 if the file cannot be executed,
    /// as a directory, and 127 if there is none.
    private static func find(_ program: String) throws(ShellError) -> String {
        switch Program.search(program) {
        case .found(let path): return path
        case .notExecutable:
            throw ShellError(
                "cannot run '\(program)': it is no program that may be executed; check its permissions",
                exitCode: 126)
        case .missing:
            throw ShellError(
                "cannot run '\(program)': there is no such program; check its name and PATH",
                exitCode: 127)
        }
    }

    private static func copy(_ text: String) -> UnsafeMutablePointer<CChar>? { strdup(text) }

    private static func spawn(
        _ request: Request, path: String, _ isolated: inout millrace_isolated
    ) -> Int32 {
        let arguments = request.command.map(copy) + [nil]
        let environment = request.environment.map { copy("\($0.key)=\($0.value)") } + [nil]
        // These values must live as long as the call.
        let strings = [path, TunDevice.path, request.device].map(copy)
        let resolver = request.resolverFile.flatMap(copy)
        defer { for pointer in arguments + environment + strings + [resolver] { free(pointer) } }
        return arguments.withUnsafeBufferPointer { argv in
            environment.withUnsafeBufferPointer { envp in
                var options = millrace_isolation_options()
                options.path = UnsafePointer(strings[0])
                options.argv = argv.baseAddress
                options.envp = envp.baseAddress
                options.tun_path = UnsafePointer(strings[1])
                options.device = UnsafePointer(strings[2])
                options.address = request.address.rawValue
                options.mask = Interface.mask(request.prefixLength)
                options.mtu = Int32(TunDevice.mtu)
                options.resolv_conf = UnsafePointer(resolver)
                return millrace_spawn_isolated(&options, &isolated)
            }
        }
    }
}
