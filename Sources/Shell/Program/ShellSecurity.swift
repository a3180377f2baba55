import Environment

/// How the shell speaks TLS: the section `[ssl]` of cqlshrc, and what the command line says.
package struct ShellSecurity: Equatable, Sendable {
    /// A file with the certificates that the server's must stand on (`certfile`); nil for those that the machine trusts.
    package var trustFile: String?
    /// The same for single hosts (section `[certfiles]`), by their names in lower case.
    private var trustFiles: [String: String] = [:]
    /// Whether the server's certificate must be good (`validate`).
    package private(set) var validates = true
    /// Whether it must be made for the host too (`check_hostname`).
    package private(set) var checksHost = true
    /// Who we are (`usercert`, `userkey`), when the server wants to know.
    package private(set) var certificateFile: String?
    package private(set) var keyFile: String?

    package init() {}

    /// Everything but `false` means yes, as in cqlsh: a word that is misspelled must not switch the check off.
    package mutating func readValidate(_ word: String) {
        validates = word.lowercased() != "false"
    }

    mutating func apply(_ file: ShellConfiguration) {
        if let name = file["ssl", "certfile"] { trustFile = name }
        if let word = file["ssl", "validate"] { readValidate(word) }
        if let word = file["ssl", "check_hostname"] { checksHost = word.lowercased() != "false" }
        if let name = file["ssl", "usercert"] { certificateFile = name }
        if let name = file["ssl", "userkey"] { keyFile = name }
        trustFiles.merge(file.settings(of: "certfiles")) { $1 }
    }

    /// The file of trusted certificates for a host.
    package func trustFile(for hostName: String) -> String? {
        trustFiles[hostName.lowercased()] ?? trustFile
    }

    /// Reads the files and makes them ready.
    ///
    /// - Parameter home: what `~` stands for at the beginning of a path.
    /// - Throws: a `ShellOptions.ConfigurationFault` that says which file is wrong.
    func prepare(
        for hostName: String, home: String?, _ files: any ShellFiles, _ host: Host
    ) async throws -> any TransportSecurity {
        var wanted = ClientSecurity()
        wanted.hostName = hostName
        if !validates {
            wanted.verification = .none
        } else if !checksHost {
            wanted.verification = .certificate
        }
        if validates, let path = trustFile(for: hostName) {
            wanted.trusted = try ShellSecurity.read(path, home, files)
        }
        // cqlsh takes both from one file when it is given no other.
        if let certificate = certificateFile ?? keyFile, let key = keyFile ?? certificateFile {
            wanted.identity = TransportIdentity(
                certificateChain: try ShellSecurity.read(certificate, home, files),
                privateKey: try ShellSecurity.read(key, home, files))
        }
        do throws(NetworkError) {
            return try await host.network.prepare(wanted)
        } catch {
            guard case .insecure(let fault) = error else { throw error }
            throw ShellOptions.ConfigurationFault(message: words(fault, hostName))
        }
    }

    private static func read(_ path: String, _ home: String?, _ files: any ShellFiles) throws -> [UInt8] {
        let whole: String = path.hasPrefix("~/") ? (home ?? "~") + path.dropFirst() : path
        do {
            return try files.read(whole)
        } catch {
            throw ShellOptions.ConfigurationFault(message: "cannot read the file '\(whole)' for TLS")
        }
    }

    private func words(_ fault: SecurityFault, _ hostName: String) -> String {
        switch fault {
        case .unavailable: "cannot use TLS: \(fault)"
        case .malformedTrust: "cannot use TLS with '\(trustFile(for: hostName) ?? "")': \(fault)"
        default: "cannot use TLS with '\(certificateFile ?? keyFile ?? "")': \(fault)"
        }
    }
}
