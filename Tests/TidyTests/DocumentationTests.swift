import Testing

/// Documentation against what it documents.
@Suite struct DocumentationTests {
    @Test func linksBetweenPagesLead() throws {
        let link = #/\[[^\]]*\]\(([^)\s]+)\)/#
        var findings: [Finding] = []
        for file in SourceTree.all where file.path.hasSuffix(".md") {
            for (index, line) in file.lines.enumerated() {
                for match in line.matches(of: link) where !leads(match.output.1, from: file.path) {
                    findings.append(Finding(path: file.path, line: index + 1, words: "nothing is at \(match.output.1)"))
                }
            }
        }
        #expect(findings.isEmpty, Comment(rawValue: report(findings)))
    }

    @Test func filesThatPagesNameAreThere() {
        let name = #/`((?:Sources|Tests|tools|docs|conf|Benchmarks)/[\w./+-]*[\w/])`/#
        var findings: [Finding] = []
        for file in SourceTree.all where file.path.hasSuffix(".md") {
            for (index, line) in file.lines.enumerated() {
                for match in line.matches(of: name) where !SourceTree.exists(String(match.output.1)) {
                    findings.append(Finding(path: file.path, line: index + 1, words: "there is no \(match.output.1)"))
                }
            }
        }
        #expect(findings.isEmpty, Comment(rawValue: report(findings)))
    }

    @Test func everyTargetIsInThePictureOfTheArchitecture() throws {
        let manifest = try #require(SourceTree.file("Package.swift"))
        let page = try #require(SourceTree.file("docs/ARCHITECTURE.md"))
        let declaration = #/(?:layer|program|name: )\(?\s*"([\w-]+)"/#
        let folders: Set<String> = Set(
            SourceTree.folders.filter { $0.hasPrefix("Sources/") }.compactMap { path in
                path.split(separator: "/").dropFirst().first.map { String($0) }
            })
        let missing = manifest.text.matches(of: declaration).map { String($0.output.1) }
            .filter { folders.contains($0) && !page.text.contains("`\($0)`") }
        #expect(missing.isEmpty)
    }

    @Test func programsHaveTheirBits() {
        let programs = SourceTree.all.map(\.path).filter { path in
            path == ".ci/run" || path.hasPrefix("tools/") && !path.hasSuffix(".sh")
        }
        #expect(programs.contains("tools/test"))
        for path in programs {
            #expect(SourceTree.isExecutable(path), "\(path) is not executable")
            #expect(SourceTree.file(path)?.text.hasPrefix("#!") == true, "\(path) does not say what runs it")
        }
    }

    private func leads(_ target: Substring, from path: String) -> Bool {
        if target.contains("://") || target.hasPrefix("#") || target.hasPrefix("mailto:") { return true }
        let file = target.prefix { $0 != "#" }
        var parts = path.split(separator: "/").dropLast().map { String($0) }
        for part in file.split(separator: "/") where part != "." {
            if part == ".." {
                if parts.isEmpty { return false }
                parts.removeLast()
            } else {
                parts.append(String(part))
            }
        }
        return SourceTree.exists(parts.joined(separator: "/"))
    }
}

/// The configuration that people read against the settings that the node knows.
@Suite struct ConfigurationTests {
    static let settingsPath = "Sources/Server/Configuration/Settings.swift"

    struct Entry: Equatable {
        let name: String
        let standard: String
    }

    /// `Settings.all`, read from the source text.
    static func settings() throws -> [Entry] {
        let file = try #require(SourceTree.file(settingsPath))
        let declaration = #/Setting\(\s*name:\s*"([^"]+)",\s*kind:.*?standard:\s*"([^"]*)"/#.dotMatchesNewlines()
        return file.text.matches(of: declaration).map { match in
            Entry(name: String(match.output.1), standard: String(match.output.2))
        }
    }

    /// The keys of `conf/martlet.yaml`, each with whether a comment stands above it.
    static func documented() throws -> [(entry: Entry, hasComment: Bool)] {
        let file = try #require(SourceTree.file("conf/martlet.yaml"))
        var found: [(entry: Entry, hasComment: Bool)] = []
        var above: Substring = ""
        var parent: Substring = ""
        for line in file.lines {
            if let match = line.wholeMatch(of: #/(\s*)([a-z_0-9]+):\s*(.*?)\s*/#) {
                let (indent, value): (Substring, Substring) = (match.output.1, match.output.3)
                if indent.isEmpty { parent = value.isEmpty ? match.output.2 + "." : "" }
                if value.isEmpty {
                    above = line
                    continue
                }
                let isQuoted: Bool = value.count >= 2 && value.hasPrefix("'") && value.hasSuffix("'")
                let text: Substring = isQuoted ? value.dropFirst().dropLast() : value
                let name: String = indent.isEmpty ? String(match.output.2) : String(parent + match.output.2)
                found.append((Entry(name: name, standard: String(text)), above.hasPrefix(indent + "# ")))
            }
            above = line
        }
        return found
    }

    @Test func everySettingIsDocumentedWithItsDefault() throws {
        let settings = try Self.settings()
        let documented = try Self.documented()
        #expect(settings.count > 10, "Settings.swift is not read any more as it should be")
        for setting in settings {
            let isDocumented: Bool = documented.contains { $0.entry == setting }
            #expect(isDocumented, "conf/martlet.yaml lacks \(setting.name): \(setting.standard)")
        }
    }

    @Test func nothingIsDocumentedThatIsNoSetting() throws {
        let settings = try Self.settings()
        for (entry, hasComment) in try Self.documented() {
            #expect(settings.contains(entry), "\(entry.name): \(entry.standard) is not in Settings.swift")
            #expect(hasComment, "\(entry.name) has no comment above it")
        }
    }

    @Test func everySettingIsThereOnce() throws {
        let names = try Self.documented().map(\.entry.name)
        #expect(names.count == Set(names).count)
    }
}
