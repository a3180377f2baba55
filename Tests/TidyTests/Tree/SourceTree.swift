import Foundation

/// One text file of the repository.
struct SourceFile: Sendable {
    /// Relative to the root, with `/`.
    let path: String
    let text: String
    let lines: [Substring]
    /// The lines with comments and the contents of string literals blanked, for rules about code. Empty for other files
    /// than Swift's.
    let codeLines: [Substring]

    init(path: String, text: String) {
        self.path = path
        self.text = text
        self.lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        self.codeLines =
            path.hasSuffix(".swift")
            ? CodeMask.code(of: text).split(separator: "\n", omittingEmptySubsequences: false) : []
    }

    var isSwift: Bool { path.hasSuffix(".swift") }
}

/// The working tree that this file belongs to, without what is built or downloaded.
enum SourceTree {
    static let root: URL = {
        var folder = URL(filePath: #filePath)
        // Tests/TidyTests/Tree/SourceTree.swift
        for _ in 0..<4 { folder.deleteLastPathComponent() }
        return folder
    }()

    static let all: [SourceFile] = {
        ["Package.swift", "README.md", "Sources", "Tests", "Benchmarks", "conf", "docs", "tools", ".ci"]
            .flatMap(files(under:))
    }()

    static let swift: [SourceFile] = all.filter(\.isSwift)

    static func file(_ path: String) -> SourceFile? { all.first { $0.path == path } }

    /// All folders that hold a file of the tree, by their paths.
    static var folders: Set<String> {
        var found: Set<String> = []
        for file in all {
            var parts = file.path.split(separator: "/").dropLast()
            while !parts.isEmpty {
                found.insert(parts.joined(separator: "/"))
                parts = parts.dropLast()
            }
        }
        return found
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appending(path: path).path)
    }

    static func isExecutable(_ path: String) -> Bool {
        FileManager.default.isExecutableFile(atPath: root.appending(path: path).path)
    }

    private static func files(under path: String) -> [SourceFile] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: root.appending(path: path).path, isDirectory: &isFolder) else {
            return []
        }
        guard isFolder.boolValue else { return [read(path)].compactMap(\.self) }
        let folder: String = root.appending(path: path).path
        let names: [String] = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let ignored: Set<String> = ["__pycache__", "Package.resolved"]
        return names.sorted()
            .filter { !ignored.contains($0) && !$0.hasPrefix(".build") && !$0.hasPrefix(".venv") }
            .flatMap { files(under: path + "/" + $0) }
    }

    /// Nil for what is not text.
    private static func read(_ path: String) -> SourceFile? {
        guard let contents = try? Data(contentsOf: root.appending(path: path)), !contents.contains(0),
            let text = String(validating: contents, as: UTF8.self)
        else { return nil }
        return SourceFile(path: path, text: text)
    }
}

/// A broken rule, in the form in which compilers report.
struct Finding: CustomStringConvertible {
    let path: String
    let line: Int
    let words: String

    var description: String { "\(path):\(line): \(words)" }
}

/// All findings as one text, so that a failing test shows each of them and nothing else.
func report(_ findings: [Finding]) -> String {
    findings.map(\.description).joined(separator: "\n")
}
