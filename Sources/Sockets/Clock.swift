import CLinux
import Glibc

/// The clocks of a run, by name. Pacing and delays are monotonic; captures are real time.
public enum Clock {
    /// Nanoseconds of CLOCK_MONOTONIC.
    public static func monotonicNanoseconds() -> Int64 { read(CLOCK_MONOTONIC) }
    /// Nanoseconds of CLOCK_REALTIME, since 1970.
    public static func realTimeNanoseconds() -> Int64 { read(CLOCK_REALTIME) }
    /// Seconds of CLOCK_REALTIME, since 1970.
    public static func realTimeSeconds() -> Double { Double(realTimeNanoseconds()) / 1e9 }

    /// Real time minus monotonic time, read between two monotonic reads. `errorNanoseconds` is half
    /// of the time between those reads.
    public static func offset() -> (nanoseconds: Int64, errorNanoseconds: Int64) {
        var best: (Int64, Int64) = (0, .max)
        for _ in 0..<8 {
            let before = monotonicNanoseconds()
            let real = realTimeNanoseconds()
            let after = monotonicNanoseconds()
            let error = (after - before + 1) / 2
            if error < best.1 { best = (real - (before + after) / 2, error) }
        }
        return best
    }

    /// Makes the calling thread's timers as exact as the kernel can; by default they are 50 us
    /// late.
    public static func sharpenTimers() { millrace_set_timer_slack(1) }

    /// Lets the calling thread run soon after it wakes, even if others keep its CPU busy: it asks the
    /// scheduler for the shortest slices, 0.1 ms. A thread with short slices gets no more CPU time
    /// than others, but need not wait until a running thread has used up its own slice of some
    /// milliseconds. Before Linux 6.12 nothing changes.
    public static func shortenSlices() { millrace_set_slice(100_000) }

    /// CPU time of all threads of this process.
    public static func processCPUNanoseconds() -> Int64 { read(CLOCK_PROCESS_CPUTIME_ID) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
