import CLinux

/// How this process's allocator treats blocks of 128 KiB and more.
public enum LargeBlocks {
    /// Gives each back to the system as soon as it is freed.
    ///
    /// glibc keeps freed blocks of up to 32 MiB for later ones, unless the threshold is set by hand
    /// (mallopt(3)). In a cache whose objects come and go in all sizes, the gaps between those that
    /// stay grow to half the cache. Each block costs a system call and page faults instead, so this
    /// is for processes that keep what they read, not for those that pass it on.
    public static func giveBack() {
        _ = millrace_set_mmap_threshold(128 << 10)
    }
}
