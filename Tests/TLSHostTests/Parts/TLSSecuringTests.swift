import Environment
import TLSHost
import Testing

/// Keys and certificates before any stream.
@Suite struct TLSSecuringTests {
    private static let now: Int64 = 1_800_000_000

    private func fault(_ security: ServerSecurity) -> SecurityFault? {
        do throws(SecurityFault) {
            _ = try TLSSecuring().make(security, atSeconds: TLSSecuringTests.now)
            return nil
        } catch { return error }
    }

    @Test func aCertificateWithItsKeyIsTaken() throws {
        let made = try TLSSecuring().make(try Certificates.server(), atSeconds: TLSSecuringTests.now)
        #expect(made.endSeconds == 4_733_424_000)
    }

    @Test func aKeyOfAnotherCertificateIsRefused() throws {
        #expect(fault(ServerSecurity(try Certificates.identity("server", key: "client"))) == .keyMismatch)
    }

    @Test func aCertificateIsTakenUpToItsLastSecondAndFromItsFirst() throws {
        let ended = ServerSecurity(try Certificates.identity("expired", key: "server"))
        #expect(fault(ended) == .expired(endSeconds: 1_012_608_000))
        #expect(throws: Never.self) { _ = try TLSSecuring().make(ended, atSeconds: 1_012_608_000) }
        #expect(throws: SecurityFault.expired(endSeconds: 1_012_608_000)) {
            _ = try TLSSecuring().make(ended, atSeconds: 1_012_608_001)
        }
        let early = ServerSecurity(try Certificates.identity("early", key: "server"))
        #expect(fault(early) == .notYetValid(beginSeconds: 4_070_908_800))
        #expect(throws: Never.self) { _ = try TLSSecuring().make(early, atSeconds: 4_070_908_800) }
    }

    @Test func anAuthorityThatHasExpiredInTheChainIsFound() throws {
        var security = try Certificates.server()
        security.identity.certificateChain += try Certificates.bytes("expired.pem")
        #expect(fault(security) == .expired(endSeconds: 1_012_608_000))
    }

    @Test func aKeyBehindAPassphraseIsNamedAsSuch() throws {
        #expect(fault(ServerSecurity(try Certificates.identity("server", key: "locked"))) == .lockedKey)
    }

    @Test(arguments: ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "\u{0}\u{1}\u{2}"])
    func whatIsNoPEMIsRefused(_ text: String) throws {
        let bytes: [UInt8] = Array(text.utf8)
        var security = try Certificates.server()
        security.identity.certificateChain = bytes
        #expect(fault(security) == .malformedCertificate)
        security = try Certificates.server()
        security.identity.privateKey = bytes
        #expect(fault(security) == .malformedKey)
        security = try Certificates.server()
        security.clientCertificates = .required
        security.trusted = bytes
        if !bytes.isEmpty { #expect(fault(security) == .malformedTrust) }
        var client = try Certificates.client()
        client.trusted = bytes
        #expect(throws: SecurityFault.malformedTrust) {
            _ = try TLSSecuring().make(client, atSeconds: TLSSecuringTests.now)
        }
    }

    @Test func halfAFileIsRefused() throws {
        var security = try Certificates.server()
        security.identity.certificateChain = Array(security.identity.certificateChain.prefix(300))
        #expect(fault(security) == .malformedCertificate)
        security = try Certificates.server()
        security.identity.privateKey = Array(security.identity.privateKey.prefix(100))
        #expect(fault(security) == .malformedKey)
    }

    @Test func aCertificateInTheFileOfTheKeyIsNoKey() throws {
        var security = try Certificates.server()
        swap(&security.identity.certificateChain, &security.identity.privateKey)
        #expect(fault(security) == .malformedCertificate)
    }
}
