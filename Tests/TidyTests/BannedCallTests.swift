import Testing

/// A call or import that has another way here.
struct BannedCall: Sendable, CustomTestStringConvertible {
    /// A part of every match, to look for first.
    let needle: String
    /// A regular expression for a line without comments and strings.
    let pattern: String
    let instead: String
    /// Beginnings of paths where it may stand.
    var allowed: [String] = []
    /// Beginnings of paths where it is looked for.
    var places: [String] = ["Sources/"]

    var testDescription: String { pattern }

    func findings(in files: [SourceFile]) throws -> [Finding] {
        let regex = try Regex(pattern)
        var found: [Finding] = []
        for file in files where applies(to: file.path) && file.text.contains(needle) {
            for (index, line) in file.codeLines.enumerated() where line.contains(needle) {
                guard line.contains(regex) else { continue }
                let code = line.drop { $0 == " " }
                found.append(Finding(path: file.path, line: index + 1, words: "\(code) — \(instead)"))
            }
        }
        return found
    }

    private func applies(to path: String) -> Bool {
        places.contains(where: path.hasPrefix) && !allowed.contains(where: path.hasPrefix)
    }
}

@Suite struct BannedCallTests {
    /// Where the operating system is, and the programs that start it.
    static let worlds = ["Sources/SystemHost/", "Sources/martlet/", "Sources/martlet-simulate/"]
    /// Tests that are about real time and real sockets.
    static let realTests = [
        "Tests/EndToEndTests/", "Tests/EnvironmentTests/", "Tests/TLSHostTests/", "Tests/TidyTests/",
    ]
    static let everywhere = ["Sources/", "Tests/"]

    static let calls: [BannedCall] = [
        BannedCall(
            needle: "Date()", pattern: #"\bDate\(\)"#, instead: "ask a TimeSource", allowed: worlds + realTests,
            places: everywhere),
        BannedCall(
            needle: "Clock", pattern: #"\b(ContinuousClock|SuspendingClock)\b"#, instead: "ask a TimeSource",
            allowed: worlds + realTests, places: everywhere),
        BannedCall(
            needle: ".random(", pattern: #"(\.random\(in:|\bBool\.random\()(?!.*using:)"#,
            instead: "draw from Entropy or a SeededGenerator",
            allowed: ["Sources/SystemHost/", "Tests/TidyTests/"], places: everywhere),
        BannedCall(
            needle: ".shuffled()", pattern: #"\.shuffled\(\)"#, instead: "draw from Entropy or a SeededGenerator",
            places: everywhere),
        BannedCall(
            needle: ".randomElement()", pattern: #"\.randomElement\(\)"#,
            instead: "draw from Entropy or a SeededGenerator", places: everywhere),
        BannedCall(
            needle: "SystemRandomNumberGenerator", pattern: "SystemRandomNumberGenerator",
            instead: "draw from Entropy or a SeededGenerator", allowed: ["Sources/SystemHost/", "Tests/TidyTests/"],
            places: everywhere),
        BannedCall(
            needle: "Task",
            pattern: #"^(?!.*(struct|class|enum|actor|extension) Task\b)(.*[^\w.])?Task(\([^)]*\))?\s*\{"#,
            instead: "start it through Background", allowed: worlds + ["Sources/SimulatedHost/World/"]),
        BannedCall(
            needle: "Task.", pattern: #"\bTask\.(detached|immediate|immediateDetached)\b"#,
            instead: "start it through Background", allowed: worlds),
        BannedCall(
            needle: "Task.sleep", pattern: #"\bTask\.sleep\b"#, instead: "sleep through a TimeSource or a LoopTimer",
            allowed: worlds + realTests, places: everywhere),
        BannedCall(
            needle: "fatalError(", pattern: #"\bfatalError\("#, instead: "use require",
            allowed: ["Sources/Primitives/Checks/"]),
        BannedCall(
            needle: "!", pattern: #"[\w\)\]\}"]!(?!=)"#,
            instead: "no force: handle the error, pass it on, or say what nil means"),
        BannedCall(
            needle: "print(", pattern: #"^(?!.*func print\()(.*[^\w.])?print\("#,
            instead: "log it, or write to the Terminal",
            allowed: ["Sources/martlet/", "Sources/martlet-simulate/"]),
        BannedCall(
            needle: "import ",
            pattern: #"^\s*(@\w+ )*((public|package|internal|private) )?import (Foundation|Dispatch|Glibc|Musl|NIO)"#,
            instead: "only SystemHost knows the operating system",
            allowed: ["Sources/SystemHost/", "Sources/TLSHost/"]),
        // Tests may ask the C library for an environment variable.
        BannedCall(
            needle: "import ",
            pattern: #"^\s*(@\w+ )*((public|package|internal|private) )?import (Foundation|Dispatch|NIO)"#,
            instead: "tests stand on Environment too", allowed: ["Tests/TidyTests/"], places: ["Tests/"]),
    ]

    @Test(arguments: calls)
    func callsThatHaveAnotherWayHereAreNotMade(_ call: BannedCall) throws {
        let findings = try call.findings(in: SourceTree.swift)
        #expect(findings.isEmpty, Comment(rawValue: report(findings)))
    }

    @Test(arguments: [
        ("let x = Date()", 1), ("// Date()", 0), (#"let x = "Date()""#, 0), (#"let x = "\(Date())""#, 1),
        ("let x = y!", 1), ("if x != y { }", 0), ("if !x { }", 0), ("let x = try! y()", 1), ("let x = y as! Z", 1),
        ("Task { await x() }", 1), ("Task(priority: .high) { }", 1), ("withTaskGroup { }", 0), ("struct Task { }", 0),
        ("Int.random(in: 0..<3)", 1), ("Int.random(in: 0..<3, using: &generator)", 0), ("x.print(y)", 0),
        ("print(y)", 1),
        ("import Foundation", 1), ("package import NIOCore", 1), ("import Environment", 0),
    ])
    func aBannedCallIsFoundInCodeOnly(_ line: String, _ count: Int) throws {
        let file = SourceFile(path: "Sources/Storage/Made.swift", text: "let a = 1\n\(line)\n")
        let findings = try Self.calls.flatMap { try $0.findings(in: [file]) }
        #expect(findings.count == count, Comment(rawValue: report(findings)))
    }
}
