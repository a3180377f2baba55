import Environment
import MartletClient
import Nodetool
import Server
import Synchronization
import SystemHost
import Testing

/// What a node makes of settings about encryption.
@Suite struct SecureNodeTests {
    private static let prefix = "client_encryption_options."

    private static func encryption(_ others: [String: String]) -> [String: String] {
        var settings: [String: String] = SecureNode.encryption
        for (name, value) in others { settings[prefix + name] = value }
        return settings
    }

    // MARK: Clients

    @Test func clientsConnectWithTLSAndAreListedSo() async throws {
        try await SecureNode.run(SecureNode.encryption) { node in
            let connection = try await node.connect(try Certificates.client())
            let result = try await connection.query("SELECT ssl_enabled, ssl_protocol FROM system_views.clients")
            let row = try #require(result.rows.map { $0 }.first)
            #expect(try row["ssl_enabled", as: Bool.self] == true)
            #expect(try row["ssl_protocol", as: String.self] == "TLSv1.3")
            connection.close()
            await #expect(throws: (any Error).self) { _ = try await node.connect(nil) }
            await #expect(throws: (any Error).self) {
                _ = try await node.connect(try Certificates.client(trusting: "stranger-authority"))
            }
        }
    }

    @Test func withOptionalBothKindsOfClientsConnect() async throws {
        try await SecureNode.run(SecureNodeTests.encryption(["optional": "true"])) { node in
            for security in [try Certificates.client(), nil] {
                let connection = try await node.connect(security)
                _ = try await connection.query("SELECT key FROM system.local")
                connection.close()
            }
        }
    }

    @Test func silentConnectionsCountAgainstTheLimits() async throws {
        var settings: [String: String] = SecureNode.encryption
        settings["native_transport_max_concurrent_connections"] = "1"
        try await SecureNode.run(settings, shards: 1) { node in
            let silent = StreamOwner(node.host.loops[0])
            _ = try await node.host.network.connect(
                to: node.node.clientAddress, on: node.host.loops[0], timeout: .seconds(5)
            ) { silent }
            await #expect(throws: (any Error).self) { _ = try await node.connect(try Certificates.client()) }
            await silent.close()
            _ = await silent.ending()
        }
    }

    // MARK: Settings that cannot be

    @Test func whatIsMissingIsNamed() async throws {
        let enabled = ["client_encryption_options.enabled": "true"]
        #expect(
            try await SecureNode.refusal(enabled)
                == "TLS takes the setting client_encryption_options.certificate besides client_encryption_options.key: a file "
                + "in PEM.")
        #expect(
            try await SecureNode.refusal(["client_encryption_options.optional": "true"])
                == "client_encryption_options.optional lets clients choose TLS, which takes "
                + "client_encryption_options.enabled too.")
        #expect(
            try await SecureNode.refusal(SecureNodeTests.encryption(["require_client_auth": "true"]))
                == "client_encryption_options.require_client_auth wants client_encryption_options.trusted_certificates: the "
                + "certificates that those of clients must stand on.")
    }

    @Test func filesThatCannotBeUsedAreNamed() async throws {
        func refusal(_ name: String, _ file: String) async throws -> String {
            try await SecureNode.refusal(SecureNodeTests.encryption([name: Certificates.path(file)]))
        }
        let (certificate, key) = (Certificates.path("server.pem"), Certificates.path("server.key"))
        let other: String = Certificates.path("client.key")
        #expect(
            try await refusal("key", "client.key")
                == "The key in \(other) (client_encryption_options.key) is not that of the certificate in \(certificate) "
                + "(client_encryption_options.certificate).")
        #expect(
            try await refusal("certificate", "expired.pem").hasSuffix(
                "expired.pem (client_encryption_options.certificate) has expired, on 2002-02-02."))
        #expect(
            try await refusal("certificate", "early.pem").hasSuffix(
                "early.pem (client_encryption_options.certificate) is not valid before 2099-01-01."))
        #expect(
            try await refusal("certificate", "server.key")
                == "There is no certificate in PEM in \(key) (client_encryption_options.certificate).")
        #expect(
            try await refusal("key", "server.pem")
                == "There is no private key in PEM in \(certificate) (client_encryption_options.key).")
        #expect(
            try await refusal("key", "locked.key").hasSuffix(
                "is protected by a passphrase: a node takes it without one."))
        #expect(
            try await refusal("key", "nothing.key").hasSuffix(
                "nothing.key of client_encryption_options.key cannot be read: it is not there."))
        #expect(
            try await refusal("trusted_certificates", "server.key")
                == "There is no certificate in PEM in \(key) (client_encryption_options.trusted_certificates).")
    }

    // MARK: The admin port

    @Test func theAdminPortListensElsewhereOnlyWithTLSAndPasswords() async throws {
        let elsewhere = ["admin_address": "0.0.0.0"]
        #expect(
            try await SecureNode.refusal(elsewhere)
                == "The admin_address 0.0.0.0 can be reached by other machines, which takes encryption and passwords: set "
                + "admin_tls_certificate, admin_tls_key, admin_password_file too, or give it a loopback address.")
        var settings: [String: String] = elsewhere
        settings["admin_tls_certificate"] = Certificates.path("server.pem")
        settings["admin_tls_key"] = Certificates.path("server.key")
        #expect(try await SecureNode.refusal(settings).contains(": set admin_password_file too,"))
        settings["admin_tls_key"] = nil
        #expect(try await SecureNode.refusal(settings).contains(": set admin_tls_key, admin_password_file too,"))
        #expect(
            try await SecureNode.refusal(["admin_tls_key": Certificates.path("server.key")])
                == "TLS takes the setting admin_tls_certificate besides admin_tls_key: a file in PEM.")
    }

    @Test func nodetoolAsksAnAdminPortWithTLSAndAPassword() async throws {
        try await withFolder { folder in
            try SmallFiles.write(Array("anna s3cret\n".utf8), to: folder + "/passwords")
            let settings: [String: String] = [
                "admin_address": "0.0.0.0", "admin_password_file": folder + "/passwords",
                "admin_tls_certificate": Certificates.path("server.pem"),
                "admin_tls_key": Certificates.path("server.key"),
            ]
            try await SecureNode.run(settings) { node in
                let port = String(try #require(node.node.adminAddress).port)
                let trust: String = Certificates.path("authority.pem")
                let tool = Tool(host: node.host, port: port)
                let login: [String] = ["-u", "anna", "-pw", "s3cret"]
                let secure: [String] = ["--ssl", "--cafile", trust]
                #expect(await tool.run(login + secure + ["version"]).status == 0)
                #expect(await tool.run(login + secure + ["-h", "localhost", "flush"]).status == 0)
                #expect(await tool.run(secure + ["version"]).status == 1)
                let plain = await tool.run(login + ["version"])
                #expect(plain.status == 2)
                #expect(plain.errors.contains("If its admin port wants TLS, give --ssl."), "\(plain.errors)")
                #expect(await tool.run(login + ["flush"]).errors.contains("give --ssl."))
                let untrusted = await tool.run(login + ["--ssl", "version"])
                #expect(untrusted.status == 2)
                #expect(untrusted.errors.contains("is not trusted; --cafile FILE"), "\(untrusted.errors)")
                #expect(await tool.run(login + ["--ssl", "--insecure-no-verify", "version"]).status == 0)
                let noTrust = await tool.run(["--ssl", "--cafile", folder + "/passwords", "version"])
                #expect(noTrust.status == 1)
                #expect(noTrust.errors.contains("There is no certificate in PEM"), "\(noTrust.errors)")
            }
        }
    }

    /// `martlet nodetool` in this process.
    private struct Tool {
        let host: Host
        let port: String

        func run(_ arguments: [String]) async -> (status: Int32, errors: String) {
            let errors = Written()
            let program = NodetoolProgram(
                host: host, write: { _ in }, writeError: { text in errors.text.withLock { $0 += text } })
            let status: Int32 = await program.run(["-p", port] + arguments)
            return (status, errors.text.withLock { $0 })
        }
    }

    private final class Written: Sendable {
        let text = Mutex("")
    }
}
