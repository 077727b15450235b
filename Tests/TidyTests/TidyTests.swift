import Testing

/// Checks that the source tree follows the rules. The limits may only be lowered.
@Suite struct SourceTreeTests {
    private func expectNone(
        _ problems: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(
            problems.isEmpty, "\(problems.joined(separator: "\n"))",
            sourceLocation: sourceLocation)
    }

    @Test func `no source file is too long`() throws {
        expectNone(try SourceTree().longFiles)
    }

    @Test func `no type is too long with its extensions`() throws {
        expectNone(try SourceTree().longTypes)
    }

    @Test func `no name is declared twice at the top level`() throws {
        expectNone(try SourceTree().sharedNames)
    }

    @Test func `no import goes against the tiers`() throws {
        expectNone(try SourceTree().forbiddenImports)
    }

    @Test func `no folders of a target use each other in a circle`() throws {
        expectNone(try SourceTree().folderCircles)
    }
}

/// Checks that each rule finds violations.
@Suite struct TidyRuleTests {
    private static func tree(_ files: (String, String)...) -> SourceTree {
        SourceTree(files: files.map { SourceTree.File($0.0, $0.1) })
    }

    @Test func `a file of 401 lines is found`() {
        let line = "let a = 1\n"
        #expect(Self.tree(("HLS/A.swift", String(repeating: line, count: 400))).longFiles == [])
        let long = Self.tree(("HLS/A.swift", String(repeating: line, count: 401))).longFiles
        #expect(long == ["Sources/HLS/A.swift has 401 lines, limit 400: split it by topic"])
    }

    @Test func `a type that is long only with its extensions is found`() {
        let half = String(repeating: "    let a = 1\n", count: 249)
        let tree = Self.tree(
            ("HLS/A.swift", "public struct A {\n\(half)}\n"),
            ("HLS/A+More.swift", "extension A.B {\n\(half)}\n"))
        #expect(
            tree.longTypes == ["HLS.A has 502 lines with its extensions, limit 500"])
    }

    @Test func `two types of one name are found, private ones are not`() {
        let tree = Self.tree(
            ("HLS/A.swift", "struct Twice {}\nprivate struct Own {}\n"),
            ("Server/A.swift", "public final class Twice {}\nstruct Own {}\n"))
        #expect(tree.sharedNames.count == 1)
        #expect(tree.sharedNames.first?.hasPrefix("Twice is declared in") == true)
    }

    @Test func `the import of one type of a module declares nothing`() {
        let tree = Self.tree(
            ("Server/A.swift", "import struct HTTPWire.HTTPURL\n"),
            ("Server/B.swift", "public import struct HTTPWire.HTTPURL\n"))
        #expect(tree.sharedNames == [])
        #expect(tree.files.map(\.imports) == [["HTTPWire"], ["HTTPWire"]])
    }

    @Test(arguments: [
        ("HLS/A.swift", "import Server"), ("HLS/A.swift", "import struct Server.RelayServer"),
        ("ABR/A.swift", "public import NIOPosix"),
        ("Viewer/A.swift", "import Server"), ("Analysis/A.swift", "import Foundation"),
        ("Elsewhere/A.swift", ""),
    ])
    func `an import against the tiers is found`(path: String, text: String) {
        #expect(Self.tree((path, text)).forbiddenImports.count == 1 || path.hasPrefix("Elsewhere"))
        #expect(!Self.tree((path, text)).forbiddenImports.isEmpty)
    }

    @Test func `a circle of folders is found, and comments and strings make none`() {
        let one = ("Server/One/A.swift", "struct A { var b: B }\n")
        let circle = Self.tree(one, ("Server/Two/B.swift", "struct B { var a: [A] }\n"))
        #expect(circle.folderCircles.count == 2)
        let line = Self.tree(
            one, ("Server/Two/B.swift", "struct B {}  // A\nlet b = \"A\"\n"))
        #expect(line.folderCircles == [])
    }
}
