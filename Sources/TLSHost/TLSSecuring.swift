package import Environment
import NIOCore
import NIOSSL
package import SystemHost

/// TLS for the streams of the system host, by BoringSSL: version 1.2 or later.
///
/// Keys and certificates come as bytes; the only files that are read are those of the authorities that the machine trusts.
package struct TLSSecuring: ChannelSecuring {
    /// How long two sides may take to agree on keys.
    private let handshakeLimit: Duration
    /// How long the farewell of the other side is waited for.
    private static let farewellLimit: TimeAmount = .seconds(1)

    package init(handshakeLimit: Duration = .seconds(10)) {
        self.handshakeLimit = handshakeLimit
    }

    package func make(
        _ security: ServerSecurity, atSeconds seconds: Int64
    ) throws(SecurityFault) -> any ChannelSecurity {
        let identity = try LoadedIdentity(security.identity, atSeconds: seconds)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: identity.chain, privateKey: .privateKey(identity.key))
        switch security.clientCertificates {
        case .ignored: configuration.certificateVerification = .none
        case .checked: configuration.certificateVerification = .optionalVerification
        case .required: configuration.certificateVerification = .noHostnameVerification
        }
        if !security.trusted.isEmpty {
            configuration.trustRoots = .certificates(try TLSSecuring.authorities(security.trusted))
            configuration.sendCANameList = true
        }
        return TLSSecurity(
            try TLSSecuring.context(configuration), side: .server(acceptsPlain: security.acceptsPlain),
            handshakeLimit: handshakeLimit, endSeconds: identity.endSeconds)
    }

    package func make(
        _ security: ClientSecurity, atSeconds seconds: Int64
    ) throws(SecurityFault) -> any ChannelSecurity {
        var configuration = TLSConfiguration.makeClientConfiguration()
        switch security.verification {
        case .full: configuration.certificateVerification = .fullVerification
        case .certificate: configuration.certificateVerification = .noHostnameVerification
        case .none: configuration.certificateVerification = .none
        }
        if let trusted = security.trusted {
            configuration.trustRoots = .certificates(try TLSSecuring.authorities(trusted))
        }
        var endSeconds: Int64?
        if let own = security.identity {
            let identity = try LoadedIdentity(own, atSeconds: seconds)
            configuration.certificateChain = identity.chain
            configuration.privateKey = .privateKey(identity.key)
            endSeconds = identity.endSeconds
        }
        return TLSSecurity(
            try TLSSecuring.context(configuration), side: .client(hostName: security.hostName),
            handshakeLimit: handshakeLimit, endSeconds: endSeconds)
    }

    private static func authorities(_ bytes: [UInt8]) throws(SecurityFault) -> [NIOSSLCertificate] {
        guard let found = try? NIOSSLCertificate.fromPEMBytes(bytes), !found.isEmpty else { throw .malformedTrust }
        return found
    }

    private static func context(_ wanted: TLSConfiguration) throws(SecurityFault) -> NIOSSLContext {
        var configuration: TLSConfiguration = wanted
        configuration.minimumTLSVersion = .tlsv12
        configuration.shutdownTimeout = farewellLimit
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch NIOSSLError.failedToLoadPrivateKey {
            // The key was read before, so that only its being with this certificate can be wrong.
            throw .keyMismatch
        } catch { throw .unusable(TLSWords.reason(error)) }
    }
}

/// A certificate chain and a key that can be used now.
private struct LoadedIdentity {
    let chain: [NIOSSLCertificateSource]
    let key: NIOSSLPrivateKey
    let endSeconds: Int64

    init(_ identity: TransportIdentity, atSeconds seconds: Int64) throws(SecurityFault) {
        guard let found = try? NIOSSLCertificate.fromPEMBytes(identity.certificateChain), let own = found.first else {
            throw .malformedCertificate
        }
        guard let key = try? NIOSSLPrivateKey(bytes: identity.privateKey, format: .pem) else {
            let isLocked: Bool = String(decoding: identity.privateKey, as: UTF8.self).contains("ENCRYPTED")
            throw isLocked ? .lockedKey : .malformedKey
        }
        for certificate in found {
            let (begin, end) = (Int64(certificate.notValidBefore), Int64(certificate.notValidAfter))
            if seconds > end { throw .expired(endSeconds: end) }
            if seconds < begin { throw .notYetValid(beginSeconds: begin) }
        }
        self.chain = found.map { .certificate($0) }
        self.key = key
        self.endSeconds = Int64(own.notValidAfter)
    }
}
