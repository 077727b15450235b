/// The rules of the source tree. Each rule returns its violations as texts.
extension SourceTree {
    static let fileLimit = 400
    static let typeLimit = 500

    /// Files longer than `fileLimit` lines.
    var longFiles: [String] {
        files.filter { $0.lines.count - 1 > Self.fileLimit }.map {
            "\($0.path) has \($0.lines.count - 1) lines, limit \(Self.fileLimit): split it by topic"
        }
    }

    /// Types that are longer than `typeLimit` lines together with their extensions in the target.
    var longTypes: [String] {
        var lengths: [String: Int] = [:]
        for file in files {
            for declaration in file.declarations {
                lengths["\(file.target).\(declaration.name)", default: 0] += declaration.length
            }
        }
        return lengths.filter { $0.value > Self.typeLimit }.sorted { $0.key < $1.key }.map {
            "\($0.key) has \($0.value) lines with its extensions, limit \(Self.typeLimit)"
        }
    }

    /// Names that several types at the top level of files share.
    var sharedNames: [String] {
        var places: [String: [String]] = [:]
        for file in files {
            for declaration in file.declarations
            where !declaration.isExtension && !declaration.isPrivate {
                places[declaration.name, default: []].append(file.path)
            }
        }
        return places.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }.map {
            "\($0.key) is declared in \($0.value.joined(separator: " and ")): give each a name of its own"
        }
    }

    /// Tier of each target, as in ARCHITECTURE.md. Within a tier, the package manager forbids
    /// circles.
    static let tiers: [String: Int] = [
        "SimulationKernel": 0, "COpenSSL": 0, "Digests": 0, "Statistics": 0,
        "RTMP": 1, "Media": 1, "CZlib": 1, "HTTPWire": 1, "HLS": 1, "Netem": 1, "ABR": 1,
        "Results": 1, "Gate": 1, "Capture": 1,
        "CLinux": 2, "CPcap": 2, "Sockets": 2, "Processes": 2, "HTTPFetch": 2, "HLSValidation": 2,
        "NetemShell": 2,
        "CaptureLive": 2, "Publisher": 2, "Viewer": 2, "Server": 2, "Floor": 2,
        "Report": 3, "Scenario": 3, "Workers": 3, "Stacks": 3, "Analysis": 3, "Trials": 3,
        "Searches": 3, "Comparisons": 3, "Simulations": 3, "Benches": 3, "millrace": 4,
    ]

    /// Modules that open sockets or read clocks, which no file of tiers 0 and 1 may import.
    private static let impure: Set<String> = ["NIOPosix", "NIOSSL", "Dispatch"]
    /// Targets of roles, which communicate through sockets and must not import each other.
    private static let roles: Set<String> = ["Publisher", "Viewer", "Server", "Floor"]

    /// Imports of a higher tier, and imports that the purpose of a target forbids.
    var forbiddenImports: [String] {
        files.flatMap { file -> [String] in
            guard let own = Self.tiers[file.target] else {
                return ["\(file.path): the target \(file.target) has no tier"]
            }
            return file.imports.compactMap { name in
                let place = "\(file.path) imports \(name)"
                if let other = Self.tiers[name], other > own {
                    return "\(place), which is of a higher tier"
                }
                if own <= 1, Self.impure.contains(name) {
                    return "\(place): tiers 0 and 1 open no socket and read no clock"
                }
                if Self.roles.contains(file.target), Self.roles.contains(name) {
                    return "\(place): roles meet on sockets"
                }
                if file.target == "Analysis", ["Foundation", "Glibc", "Sockets"].contains(name) {
                    return "\(place): figures are a pure function of the record"
                }
                return nil
            }
        }
    }

    /// Folders of one target whose files use each other's types in a circle.
    var folderCircles: [String] {
        Dictionary(grouping: files, by: \.target).sorted { $0.key < $1.key }.flatMap {
            target, files -> [String] in
            let uses = Self.uses(among: files)
            var circles: [String] = []
            for folder in uses.keys.sorted() {
                for (other, names) in (uses[folder] ?? [:]).sorted(by: { $0.key < $1.key })
                where Self.reaches(folder, from: other, uses) {
                    let (here, there) = (Self.label(folder), Self.label(other))
                    let words = names.sorted().joined(separator: ", ")
                    circles.append("\(target): \(here) uses \(there) (\(words)), and back")
                }
            }
            return circles
        }
    }

    private static func label(_ folder: String) -> String { folder.isEmpty ? "the root" : folder }

    /// Returns the used names, by the folder that uses them and the folder that declares them.
    private static func uses(among files: [File]) -> [String: [String: Set<String>]] {
        var homes: [String: Set<String>] = [:]
        for file in files {
            for declaration in file.declarations where !declaration.isExtension {
                homes[declaration.name, default: []].insert(file.folder)
            }
        }
        var uses: [String: [String: Set<String>]] = [:]
        for file in files {
            for line in file.lines {
                for word in line.split(whereSeparator: {
                    !($0.isLetter || $0.isNumber || $0 == "_")
                })
                where word.first?.isUppercase == true {
                    guard let home = homes[String(word)], home.count == 1, let other = home.first,
                        other != file.folder
                    else { continue }
                    uses[file.folder, default: [:]][other, default: []].insert(String(word))
                }
            }
        }
        return uses
    }

    private static func reaches(
        _ goal: String, from start: String, _ uses: [String: [String: Set<String>]]
    ) -> Bool {
        var seen: Set<String> = [start]
        var open = [start]
        while let folder = open.popLast() {
            if folder == goal { return true }
            for next in (uses[folder] ?? [:]).keys where seen.insert(next).inserted {
                open.append(next)
            }
        }
        return false
    }
}
