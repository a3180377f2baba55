import Cluster
import DataModel
import Environment
import Logging

/// Makes ready what protects a port, from the files that settings name; and says what is wrong with them in a sentence.
struct PortSecurity {
    private let configuration: NodeConfiguration
    private let host: Host
    private let log: Logger
    private let certificates: NodeCertificates

    /// From how long before the end of a certificate on the log warns of it.
    private static let warningSeconds: Int64 = 30 * 86_400

    /// - Parameter certificates: remembers what is read, so that it can be read again.
    init(_ configuration: NodeConfiguration, _ host: Host, _ log: Logger, _ certificates: NodeCertificates) {
        self.configuration = configuration
        self.host = host
        self.log = log
        self.certificates = certificates
    }

    /// What protects the admin port; nil for nothing.
    func admin() async throws -> (any TransportSecurity)? {
        let names = Names(certificate: "admin_tls_certificate", key: "admin_tls_key")
        if configuration.text(names.certificate).isEmpty, configuration.text(names.key).isEmpty { return nil }
        return try await certificates.first { try await prepare(try await server(names), names) }
    }

    /// What protects the port for clients; nil for nothing.
    func clients() async throws -> (any TransportSecurity)? {
        let prefix: String = "client_encryption_options."
        let isOptional: Bool = configuration.boolean(prefix + "optional")
        guard configuration.boolean(prefix + "enabled") else {
            if !isOptional { return nil }
            throw ConfigurationError("\(prefix)optional lets clients choose TLS, which takes \(prefix)enabled too.")
        }
        let names = Names(below: prefix)
        return try await certificates.first { try await prepare(try await server(names, isOptional), names) }
    }

    /// The settings of messages between nodes, with what protects those.
    func secured(_ plain: MessageSettings) async throws -> MessageSettings {
        let prefix: String = "server_encryption_options."
        let isEncrypting: Bool = configuration.text(prefix + "internode_encryption") == "all"
        let isOptional: Bool = configuration.boolean(prefix + "optional")
        guard isEncrypting || isOptional else { return plain }
        let names = Names(below: prefix)
        guard let trusted = names.trusted, !configuration.text(trusted).isEmpty else {
            throw ConfigurationError(
                "TLS between nodes takes \(prefix)trusted_certificates: whom a node takes for a node.")
        }
        var settings: MessageSettings = plain
        settings.listeningSecurity = try await certificates.first {
            try await prepare(try await server(names, isOptional), names)
        }
        if isEncrypting { settings.callingSecurity = try await certificates.first { try await calling(names, prefix) } }
        return settings
    }

    /// What protects connections to other nodes.
    private func calling(_ names: Names, _ prefix: String) async throws -> any TransportSecurity {
        let listening: ServerSecurity = try await server(names)
        var security = ClientSecurity()
        security.identity = listening.identity
        security.trusted = listening.trusted
        let isExact: Bool = configuration.boolean(prefix + "require_endpoint_verification")
        security.verification = isExact ? .full : .certificate
        do throws(NetworkError) {
            return try await host.network.prepare(security)
        } catch {
            guard case .insecure(let fault) = error else { throw error }
            throw ConfigurationError(sentence(fault, names))
        }
    }

    /// The settings of one port.
    private struct Names: Sendable {
        let certificate: String
        let key: String
        let trusted: String?
        let clients: String?

        init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
            self.trusted = nil
            self.clients = nil
        }

        /// Those of `client_encryption_options` and of its like.
        init(below prefix: String) {
            self.certificate = prefix + "certificate"
            self.key = prefix + "key"
            self.trusted = prefix + "trusted_certificates"
            self.clients = prefix + "require_client_auth"
        }
    }

    private func file(_ setting: String) -> SettingFile {
        SettingFile(setting, configuration.text(setting))
    }

    private func server(_ names: Names, _ acceptsPlain: Bool = false) async throws -> ServerSecurity {
        var security = ServerSecurity(try await identity(names))
        security.acceptsPlain = acceptsPlain
        guard let trusted = names.trusted, let clients = names.clients else { return security }
        if !configuration.text(trusted).isEmpty { security.trusted = try await file(trusted).read(host) }
        switch configuration.text(clients) {
        case "true": security.clientCertificates = .required
        case "optional": security.clientCertificates = .checked
        default: break
        }
        if security.clientCertificates != .ignored, security.trusted.isEmpty {
            throw ConfigurationError(
                "\(clients) wants \(trusted): the certificates that those of clients must stand on.")
        }
        return security
    }

    private func identity(_ names: Names) async throws -> TransportIdentity {
        for (missing, other) in [(names.certificate, names.key), (names.key, names.certificate)]
        where configuration.text(missing).isEmpty {
            throw ConfigurationError("TLS takes the setting \(missing) besides \(other): a file in PEM.")
        }
        return TransportIdentity(
            certificateChain: try await file(names.certificate).read(host),
            privateKey: try await file(names.key).read(host))
    }

    private func prepare(_ security: ServerSecurity, _ names: Names) async throws -> any TransportSecurity {
        let ready: any TransportSecurity
        do throws(NetworkError) {
            ready = try await host.network.prepare(security)
        } catch {
            guard case .insecure(let fault) = error else { throw error }
            throw ConfigurationError(sentence(fault, names))
        }
        if let end = ready.endSeconds, end - host.time.wallMicroseconds / 1_000_000 < PortSecurity.warningSeconds {
            log.warning(
                "A certificate ends soon; the node does not start with one that has ended",
                metadata: ["setting": "\(names.certificate)", "end.date": "\(PortSecurity.day(end))"])
        }
        return ready
    }

    private func sentence(_ fault: SecurityFault, _ names: Names) -> String {
        let certificate: String = "The certificate in \(file(names.certificate))"
        let key: String = "The key in \(file(names.key))"
        return switch fault {
        case .malformedCertificate: "There is no certificate in PEM in \(file(names.certificate))."
        case .malformedKey: "There is no private key in PEM in \(file(names.key))."
        case .lockedKey: "\(key) is protected by a passphrase: a node takes it without one."
        case .malformedTrust: "There is no certificate in PEM in \(file(names.trusted ?? ""))."
        case .keyMismatch: "\(key) is not that of the certificate in \(file(names.certificate))."
        case .expired(let end): "\(certificate) has expired, on \(PortSecurity.day(end))."
        case .notYetValid(let begin): "\(certificate) is not valid before \(PortSecurity.day(begin))."
        case .unavailable: "There is no encryption in this program: \(names.certificate) cannot be set."
        default: "\(certificate) cannot be used: \(fault)."
        }
    }

    private static func day(_ seconds: Int64) -> String {
        let days: Int64 = (seconds >= 0 ? seconds : seconds - 86_399) / 86_400
        return CivilDate(daysSinceEpoch: Int(clamping: days)).text(marksLongYears: false)
    }
}

/// A file that a setting names.
struct SettingFile: CustomStringConvertible {
    private let setting: String
    private let path: String

    /// No file of a setting has more bytes.
    private static let byteLimit = 1 << 20

    init(_ setting: String, _ path: String) {
        self.setting = setting
        self.path = path
    }

    var description: String { "\(path) (\(setting))" }

    /// - Throws: a sentence when the file is not there, cannot be read, or is much too large.
    func read(_ host: Host) async throws(ConfigurationError) -> [UInt8] {
        do throws(DiskError) {
            let file: any DiskFile = try await host.disk.open(path, .read)
            let count: Int = file.byteCount
            guard count <= SettingFile.byteLimit else {
                await file.close()
                throw DiskError.failed(path: path, code: 0, reason: "it has \(count) bytes, which is too much")
            }
            let bytes: [UInt8] = try await file.read(count, at: 0)
            await file.close()
            return bytes
        } catch {
            switch error {
            case .notFound: throw ConfigurationError("The file \(path) of \(setting) cannot be read: it is not there.")
            case .failed(_, _, let reason):
                throw ConfigurationError("The file \(path) of \(setting) cannot be read: \(reason).")
            default: throw ConfigurationError("The file \(path) of \(setting) cannot be read: \(error).")
            }
        }
    }
}
