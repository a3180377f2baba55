import Administration

/// Who may use the admin port: the names and passwords of the file `admin_password_file`.
package struct AdminAccess: Sendable {
    private let passwords: [String: [UInt8]]

    /// - Parameter text: of the file: on each line a name and a password with a blank between, as in Java's
    ///   `jmxremote.password`; lines that are empty or begin with `#` say nothing.
    /// - Throws: a sentence that names the line that is not understood.
    package init(text: String) throws(ConfigurationError) {
        var passwords: [String: [UInt8]] = [:]
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let words: [Substring] = line.split(maxSplits: 1) { $0 == " " || $0 == "\t" || $0 == "\r" }
            if words.isEmpty || words[0].hasPrefix("#") { continue }
            let password: [UInt8] = words.count == 2 ? AdminAccess.trimmed(words[1]) : []
            guard !password.isEmpty else {
                throw ConfigurationError(
                    "Line \(index + 1) of admin_password_file is not a name and a password with a blank between.")
            }
            passwords[String(words[0])] = password
        }
        guard !passwords.isEmpty else { throw ConfigurationError("admin_password_file names nobody.") }
        self.passwords = passwords
    }

    func admits(_ request: HTTPRequest) -> Bool {
        guard let given = request.header("authorization").flatMap({ BasicCredentials.parse($0) }) else { return false }
        // Somebody who is not known is compared too, so that names cannot be found out by the time it takes.
        let known: [UInt8]? = passwords[given.user]
        let isSame: Bool = AdminAccess.areEqual(Array(given.password.utf8), known ?? Array("\(given.user)?".utf8))
        return known != nil && isSame
    }

    /// Compares in a time that depends on the length of what was given, and not on where it differs.
    private static func areEqual(_ given: [UInt8], _ known: [UInt8]) -> Bool {
        var difference: Int = given.count ^ known.count
        for index in given.indices { difference |= Int(given[index] ^ known[index % known.count]) }
        return difference == 0
    }

    private static func trimmed(_ text: Substring) -> [UInt8] {
        var bytes: [UInt8] = Array(text.drop { $0 == " " || $0 == "\t" }.utf8)
        while let last = bytes.last, last == 0x20 || last == 0x09 || last == 0x0D { bytes.removeLast() }
        return bytes
    }
}
