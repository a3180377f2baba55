import Environment
import Simulation
import Testing

@testable import Server

/// Settings about encryption, where there is none.
@Suite struct EncryptionSettingTests {
    private func refusal(_ settings: [String: String]) throws -> String {
        do {
            try SimulatedCluster(seed: 1, shardCount: 1, settings: settings).start()
            return "It starts."
        } catch { return "\(error)" }
    }

    @Test(arguments: [
        (
            "keystore",
            "certificate and key of client_encryption_options name files in PEM instead of a keystore of Java."
        ),
        (
            "truststore_password",
            "trusted_certificates of client_encryption_options names a file in PEM instead of a keystore of Java."
        ),
        ("cipher_suites", "TLS 1.2 and 1.3 are spoken, with the ciphers that are safe."),
    ])
    func keysOfCassandraThatCannotBeHereSayWhatIsThere(key: String, advice: String) {
        var configuration = NodeConfiguration()
        let name: String = "client_encryption_options.\(key)"
        #expect(throws: ConfigurationError("There is no setting \(name): \(advice)")) {
            try configuration.set(name, "x")
        }
    }

    @Test func aKeyThatNobodyHasGetsTheNearestName() {
        var configuration = NodeConfiguration()
        #expect(
            throws: ConfigurationError(
                "Unknown setting client_encryption_options.enable. Did you mean client_encryption_options.enabled?")
        ) {
            try configuration.set("client_encryption_options.enable", "true")
        }
    }

    @Test func clientsAuthenticationIsOneOfThreeWords() {
        var configuration = NodeConfiguration()
        #expect(throws: ConfigurationError.self) {
            try configuration.set("client_encryption_options.require_client_auth", "maybe")
        }
    }

    @Test func anAdminAddressThatOthersReachIsRefusedWithWhatIsMissing() throws {
        let words: String = try refusal(["admin_address": "10.0.0.1"])
        #expect(
            words.contains("set admin_tls_certificate, admin_tls_key, admin_password_file too"), "\(words)")
    }

    @Test func halfOfAnIdentityIsRefused() throws {
        let words: String = try refusal(["admin_tls_certificate": "/a.pem"])
        #expect(words.contains("TLS takes the setting admin_tls_key besides admin_tls_certificate"), "\(words)")
    }
}
