import CLinux

/// Treatment of blocks of 128 KiB and more by this process's allocator.
public enum LargeBlocks {
    /// Returns each such block to the system as soon as it is freed.
    ///
    /// glibc keeps freed blocks of up to 32 MiB for later ones, unless the threshold is set by hand
    /// (mallopt(3)). In a cache of objects that come and go in all sizes, the gaps between the
    /// remaining objects grow to half the cache. Each block then costs a system call and page
    /// faults, so this setting is for processes that keep the data they read, not for those that
    /// pass it on.
    public static func giveBack() {
        _ = millrace_set_mmap_threshold(128 << 10)
    }
}
