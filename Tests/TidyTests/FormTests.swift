import Testing

/// The size and the names of things.
@Suite struct FormTests {
    static let fileLineLimit = 500
    static let functionLineLimit = 60
    /// `.swift-format` aims at 120; what it cannot break, such as a sentence in quotes, may be this long.
    static let lineLimit = 140

    @Test func filesAreShort() {
        let findings = SourceTree.all.filter { isCode($0) && $0.lines.count - 1 > Self.fileLineLimit }.map { file in
            Finding(path: file.path, line: file.lines.count - 1, words: "more than \(Self.fileLineLimit) lines")
        }
        #expect(findings.isEmpty, Comment(rawValue: report(findings)))
    }

    @Test func linesAreShort() {
        var findings: [Finding] = []
        for file in SourceTree.all where isCode(file) {
            for (index, line) in file.lines.enumerated() {
                // Counting characters is slow, and there are never more of them than bytes.
                guard line.utf8.count > Self.lineLimit, line.count > Self.lineLimit else { continue }
                findings.append(Finding(path: file.path, line: index + 1, words: "\(line.count) characters"))
            }
        }
        #expect(findings.isEmpty, Comment(rawValue: report(findings)))
    }

    @Test func functionsFitOnAScreen() throws {
        var findings: [Finding] = []
        for file in SourceTree.swift {
            for function in FunctionLengths.of(file) where function.lineCount > Self.functionLineLimit {
                findings.append(
                    Finding(path: file.path, line: function.line, words: "a function of \(function.lineCount) lines"))
            }
        }
        #expect(findings.isEmpty, Comment(rawValue: report(findings)))
    }

    @Test func typesAreNamedForWhatTheyAre() throws {
        let type = try Regex(
            #"\b(struct|class|enum|actor|protocol|typealias)\s+"#
                + #"(\w*(Manager|Helper|Helpers|Util|Utils|Impl|Base|Info|Data))\b"#)
        var findings: [Finding] = []
        for file in SourceTree.swift where file.path.hasPrefix("Sources/") {
            for (index, line) in file.codeLines.enumerated() {
                guard let match = line.firstMatch(of: type), let name = match.output[2].substring else { continue }
                findings.append(Finding(path: file.path, line: index + 1, words: "\(name) does not say what it is"))
            }
        }
        #expect(findings.isEmpty, Comment(rawValue: report(findings)))
    }

    @Test func foldersAreIdeas() {
        let banned: Set<String> = ["utils", "util", "helpers", "helper", "common", "misc", "shared"]
        let findings = SourceTree.folders.sorted().filter { path in
            guard path.hasPrefix("Sources/") || path.hasPrefix("Tests/"), let name = path.split(separator: "/").last
            else { return false }
            return banned.contains(name.lowercased())
        }
        #expect(findings.isEmpty)
    }

    @Test func nothingIsLeftForLater() throws {
        let mark = try Regex(#"\b(TODO|FIXME|XXX)\b"#)
        var findings: [Finding] = []
        for file in SourceTree.all where file.path != "Tests/TidyTests/FormTests.swift" {
            for (index, line) in file.lines.enumerated() where line.contains(mark) {
                findings.append(Finding(path: file.path, line: index + 1, words: "do it, or open an issue"))
            }
        }
        #expect(findings.isEmpty, Comment(rawValue: report(findings)))
    }

    @Test func noPathOfSomeMachineIsWrittenDown() throws {
        let path = try Regex(#"(^|[^\w./*])/((work|root|opt)/\w|(home|Users)/\w+/)"#)
        var findings: [Finding] = []
        for file in SourceTree.all where file.path != "Tests/TidyTests/FormTests.swift" {
            for (index, line) in file.lines.enumerated() where line.contains("/") && line.contains(path) {
                findings.append(Finding(path: file.path, line: index + 1, words: String(line)))
            }
        }
        #expect(findings.isEmpty, Comment(rawValue: report(findings)))
    }

    private func isCode(_ file: SourceFile) -> Bool {
        [".swift", ".c", ".h", ".py", ".sh"].contains(where: file.path.hasSuffix)
            || file.path.hasPrefix("tools/") && file.path != "tools/sample"
    }
}

/// How long functions are, told by their indentation: one ends where a brace stands as far left as it began.
enum FunctionLengths {
    struct Function {
        let line: Int
        let lineCount: Int
    }

    static func of(_ file: SourceFile) -> [Function] {
        let lines = file.codeLines
        var functions: [Function] = []
        for (index, line) in lines.enumerated() where startsFunction(line) {
            let indentation = line.prefix { $0 == " " }
            let end = lines[index...].firstIndex { other in
                other.hasPrefix(indentation + "}")
            }
            guard let end else { continue }
            functions.append(Function(line: index + 1, lineCount: end - index + 1))
        }
        return functions
    }

    /// Whether a line begins a function that has a body of several lines.
    private static func startsFunction(_ line: Substring) -> Bool {
        let words = line.split { " (<?".contains($0) }
        guard let place = words.firstIndex(where: { ["func", "init", "deinit", "subscript"].contains($0) }) else {
            return false
        }
        let modifiers: Set<Substring> = [
            "public", "package", "internal", "private", "fileprivate", "static", "class", "mutating", "nonmutating",
            "consuming", "borrowing", "override", "final", "required", "convenience", "isolated", "nonisolated",
            "indirect", "infix", "prefix", "postfix",
        ]
        let isDeclared: Bool = words[..<place].allSatisfy { modifiers.contains($0) || $0.hasPrefix("@") }
        // A body that opens and closes on the line is short; a signature without a brace goes on below.
        return isDeclared && !line.hasSuffix("}")
    }
}
