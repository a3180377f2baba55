/// The sections and settings of a `cqlshrc` file: what is the same in every session of a person.
package struct ShellConfiguration: Equatable, Sendable {
    /// For each section the values of its settings, all names in lower case.
    private var sections: [String: [String: String]] = [:]

    /// Reads the file; lines that are no settings are passed over, as cqlsh does with what it does not know.
    package init(_ text: String) {
        var section = ""
        for line in text.split(whereSeparator: \.isNewline) {
            let bare: Substring = ShellConfiguration.trimmed(line)
            guard let first = bare.first, first != ";", first != "#" else { continue }
            if first == "[" {
                section = bare.dropFirst().prefix { $0 != "]" }.lowercased()
                continue
            }
            guard let mark = bare.firstIndex(where: { $0 == "=" || $0 == ":" }) else { continue }
            let name: String = ShellConfiguration.trimmed(bare[..<mark]).lowercased()
            sections[section, default: [:]][name] = String(
                ShellConfiguration.trimmed(bare[bare.index(after: mark)...]))
        }
    }

    package subscript(section: String, name: String) -> String? {
        sections[section]?[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// All settings of a section that have a value.
    func settings(of section: String) -> [String: String] {
        (sections[section] ?? [:]).filter { !$0.value.isEmpty }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text: Substring = text
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return text
    }
}

extension ShellOptions {
    /// A setting whose value cannot be used.
    package struct ConfigurationFault: Error, Equatable {
        package let message: String
    }

    /// Takes the settings of a file; what the command line says is to be applied after it.
    package mutating func apply(_ file: ShellConfiguration) throws(ConfigurationFault) {
        if let name = file["connection", "hostname"] { hostName = name }
        if let number = try number(file, "connection", "port", 1...65_535) { port = UInt16(number) }
        if let seconds = try number(file, "connection", "timeout", 1...1_000_000) { connectTimeout = .seconds(seconds) }
        if let seconds = try number(file, "connection", "request_timeout", 1...1_000_000) {
            requestTimeout = .seconds(seconds)
        }
        if let word = file["connection", "ssl"] { usesTLS = ["on", "true", "yes", "1"].contains(word.lowercased()) }
        security.apply(file)
        if let name = file["authentication", "username"] { user = name }
        if let secret = file["authentication", "password"] { password = secret }
        if let name = file["authentication", "keyspace"] { keyspace = name }
        if let version = try number(file, "protocol", "version", 3...5) { _ = readVersion(UInt8(version)) }
        switch file["ui", "color"]?.lowercased() {
        case "on", "true", "yes", "1": isColored = true
        case "off", "false", "no", "0": isColored = false
        default: break
        }
        if let pattern = file["ui", "time_format"] { timeFormat = TimeFormat(pattern, fractionDigits: 6) }
        if let digits = try number(file, "ui", "float_precision", 1...100) { floatPrecision = digits }
        if let digits = try number(file, "ui", "double_precision", 1...100) { doublePrecision = digits }
        if let seconds = try number(file, "tracing", "max_trace_wait", 0...1_000_000) {
            traceWaitLimit = .seconds(seconds)
        }
    }

    /// Takes a user name and a password of a file of secrets.
    package mutating func applyCredentials(_ file: ShellConfiguration) {
        for section in ["plain_text_auth", "plaintextauthprovider", "auth_provider"] {
            if let name = file[section, "username"] { user = name }
            if let secret = file[section, "password"] { password = secret }
        }
    }

    private func number(
        _ file: ShellConfiguration, _ section: String, _ name: String, _ range: ClosedRange<Int>
    ) throws(ConfigurationFault) -> Int? {
        guard let text = file[section, name] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw ConfigurationFault(message: "'\(text)' is no value for \(name) in section [\(section)] of cqlshrc")
        }
        return number
    }
}
