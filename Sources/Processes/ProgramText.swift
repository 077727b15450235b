import Glibc

/// The pages of this program's and its libraries' machine code and constants.
public enum ProgramText {
    /// Lets go of all pages that are mapped now from the program's files.
    ///
    /// A program that has started has run much code that it does not need again, such as that which
    /// reads its arguments and its configuration. The kernel counts these pages as the process's own
    /// until memory is scarce. Those that are needed again come back from the page cache, up to
    /// 64 KiB with each page fault. Call this once, after the start: an idle server then has 13 MB
    /// resident instead of 33.
    public static func release() {
        guard let maps = ProcFile.read("/proc/self/smaps") else { return }
        var candidate: (start: UInt, end: UInt)?
        for line in maps.split(separator: "\n") {
            // A mapping begins with its address range, permissions, offset, device, inode and path
            // (proc(5)); its figures follow.
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            if fields.first?.last != ":" {
                let range = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
                let isReadOnlyFile =
                    fields.count >= 6 && ["r-xp", "r--p"].contains(fields[1])
                    && fields[5].hasPrefix("/")
                candidate =
                    isReadOnlyFile && range.count == 2 && range[0] < range[1]
                    ? (range[0], range[1]) : nil
            } else if fields[0] == "Anonymous:", let mapping = candidate {
                candidate = nil
                // Pages that differ from the file, such as relocated ones, would be lost.
                guard fields.count >= 2, fields[1] == "0" else { continue }
                _ = madvise(
                    UnsafeMutableRawPointer(bitPattern: mapping.start),
                    Int(mapping.end - mapping.start), MADV_DONTNEED)
            }
        }
    }
}
