import Glibc

/// The pages of this program's and its libraries' machine code and constants.
public enum ProgramText {
    /// Lets go of the pages that the program's files have in memory now.
    ///
    /// A program that has started has run much code that it does not need again, such as that which
    /// reads its arguments and its configuration. The kernel counts these pages as the process's own
    /// until memory is scarce. Those that are needed again come back from the page cache, up to
    /// 64 KiB with each page fault, or from the disk if the cache has lost them. Call this once,
    /// after the start: an idle server then has 13 MB resident instead of 33. No other thread may
    /// load or unload a library meanwhile.
    public static func release() {
        guard let smaps = ProcFile.read("/proc/self/smaps") else { return }
        for mapping in unchangedMappings(in: smaps) {
            _ = madvise(
                UnsafeMutableRawPointer(bitPattern: mapping.lowerBound),
                Int(mapping.upperBound - mapping.lowerBound), MADV_DONTNEED)
        }
    }

    /// Returns the read-only mappings of programs and libraries whose pages are all as in the file.
    ///
    /// A file counts as a program or a library if a part of it is mapped as machine code. Other
    /// files, such as tables that a library reads, may be unmapped before the caller acts, and
    /// their addresses may then hold other data.
    /// - Parameter smaps: Text of `/proc/self/smaps` (proc(5)).
    static func unchangedMappings(in smaps: String) -> [Range<UInt>] {
        var mappings: [(file: String, range: Range<UInt>)] = []
        var programs: Set<String> = []
        var candidate: (file: String, range: Range<UInt>)?
        var hasOwnPages = true
        for line in smaps.split(separator: "\n") {
            // A mapping begins with its address range, permissions, offset, device, inode and path;
            // its figures follow.
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            guard let first = fields.first else { continue }
            if first.last != ":" {
                (candidate, hasOwnPages) = (nil, true)
                guard fields.count >= 6, fields[5].hasPrefix("/"),
                    ["r-xp", "r--p"].contains(fields[1])
                else { continue }
                let file = "\(fields[3]) \(fields[4])"
                if fields[1] == "r-xp" { programs.insert(file) }
                let ends = first.split(separator: "-").compactMap { UInt($0, radix: 16) }
                guard ends.count == 2, ends[0] < ends[1] else { continue }
                candidate = (file, ends[0]..<ends[1])
            } else if first == "Anonymous:" {
                // Pages that differ from the file, such as relocated ones, would be lost.
                hasOwnPages = fields.dropFirst().first != "0"
            } else if first == "Swap:", let mapping = candidate {
                // Such pages are no longer among the anonymous ones once they are in swap space.
                if !hasOwnPages, fields.dropFirst().first == "0" { mappings.append(mapping) }
                candidate = nil
            }
        }
        return mappings.filter { programs.contains($0.file) }.map(\.range)
    }
}
