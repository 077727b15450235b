import Glibc
import Processes

/// The figures of a process that Prometheus' client libraries have in common
/// (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics).
struct ProcessMetrics: Sendable {
    /// User and system time, ended threads included.
    var cpuSeconds: Double
    var threads: Int
    /// Time of the start in seconds since 1970; nil if the machine's own is unknown.
    var startSeconds: Double?
    var residentBytes: Int
    var openDescriptors: Int?
    var descriptorLimit: Int?

    /// - Parameters:
    ///   - fields: The fields of `/proc/<pid>/stat` from the state on.
    ///   - bootSeconds: Time of the machine's start in seconds since 1970.
    /// - Returns: nil if the fields are not those of proc(5).
    init?(
        fields: [Substring], ticksPerSecond: Double, pageBytes: Int, bootSeconds: Double?
    ) {
        guard fields.count > 21, let user = Double(fields[11]), let system = Double(fields[12]),
            let threads = Int(fields[17]), let start = Double(fields[19]),
            let pages = Int(fields[21])
        else { return nil }
        let (bytes, isOverflow) = pages.multipliedReportingOverflow(by: pageBytes)
        guard !isOverflow else { return nil }
        cpuSeconds = (user + system) / ticksPerSecond
        self.threads = threads
        startSeconds = bootSeconds.map { $0 + start / ticksPerSecond }
        residentBytes = bytes
    }

    /// The present figures of this process; nil where there is no /proc.
    static var now: ProcessMetrics? {
        guard let fields = ProcFile.statFields(pid: getpid()),
            var metrics = ProcessMetrics(
                fields: fields, ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK))),
                pageBytes: Int(sysconf(Int32(_SC_PAGESIZE))), bootSeconds: bootSeconds)
        else { return nil }
        metrics.openDescriptors = ProcFile.openDescriptors()
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            metrics.descriptorLimit = Int(clamping: limit.rlim_cur)
        }
        return metrics
    }

    /// It is read once, so that the time of this process's start never changes.
    private static let bootSeconds: Double? = {
        let lines = (ProcFile.read("/proc/stat") ?? "").split(separator: "\n")
        return lines.first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }
    }()

    func add(to page: inout MetricsText) {
        page.add(
            "process_cpu_seconds_total", .counter,
            "Total user and system CPU time spent in seconds.", [.init(cpuSeconds)])
        page.add("process_threads", .gauge, "Number of threads.", [.init(threads)])
        page.add(
            "process_resident_memory_bytes", .gauge, "Resident memory size in bytes.",
            [.init(residentBytes)])
        if let openDescriptors {
            page.add(
                "process_open_fds", .gauge, "Number of open file descriptors.",
                [.init(openDescriptors)])
        }
        if let descriptorLimit {
            page.add(
                "process_max_fds", .gauge, "Maximum number of open file descriptors.",
                [.init(descriptorLimit)])
        }
        if let startSeconds {
            page.add(
                "process_start_time_seconds", .gauge,
                "Start time of the process in seconds since 1970.", [.init(startSeconds)])
        }
    }
}
