/// A certificate with those that it stands on, and its key: how one side of a stream shows who it is.
public struct TransportIdentity: Sendable {
    /// In PEM, the own certificate first.
    public var certificateChain: [UInt8]
    /// In PEM, without a passphrase.
    public var privateKey: [UInt8]

    public init(certificateChain: [UInt8], privateKey: [UInt8]) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
    }
}

/// How streams that others open are protected.
public struct ServerSecurity: Sendable {
    public enum ClientCertificates: Sendable {
        case ignored
        /// One that is shown must be good; none need be.
        case checked
        case required
    }

    public var identity: TransportIdentity
    public var clientCertificates = ClientCertificates.ignored
    /// Certificates in PEM that those of clients must stand on.
    public var trusted: [UInt8] = []
    /// Whether streams that do not begin with a handshake are taken as they are.
    public var acceptsPlain = false

    public init(_ identity: TransportIdentity) {
        self.identity = identity
    }
}

/// How streams that are opened to others are protected.
public struct ClientSecurity: Sendable {
    public enum Verification: Sendable {
        /// The certificate must be good and be made for the host.
        case full
        /// The certificate must be good, whoever it is made for.
        case certificate
        /// Insecure: whoever is in between can read and change everything.
        case none
    }

    /// The name or the address that the certificate must be made for; nil for the address that is connected to.
    public var hostName: String?
    public var verification = Verification.full
    /// Certificates in PEM that the other side's must stand on; nil for those that the machine trusts.
    public var trusted: [UInt8]?
    /// Who we are, when the other side wants to know.
    public var identity: TransportIdentity?

    public init() {}
}

/// Keys and certificates that a network has checked and made ready. Only that network can use them.
public protocol TransportSecurity: AnyObject, Sendable {
    /// When the own certificate ends, in seconds since 1970; nil without one.
    var endSeconds: Int64? { get }

    /// From now on streams that begin are protected as `other` says, which the same network has made ready.
    func replace(with other: any TransportSecurity)
}

/// Why a stream cannot be protected.
public enum SecurityFault: Error, Equatable, Sendable {
    /// This network has no encryption.
    case unavailable
    case malformedCertificate
    case malformedKey
    /// The key is protected by a passphrase.
    case lockedKey
    case malformedTrust
    /// The key is not that of the certificate.
    case keyMismatch
    /// The certificate has ended; seconds since 1970.
    case expired(endSeconds: Int64)
    /// The certificate has not begun; seconds since 1970.
    case notYetValid(beginSeconds: Int64)
    /// What protects streams cannot be set up otherwise.
    case unusable(String)
    /// The other side's certificate does not stand on one that is trusted.
    case untrustedPeer(String)
    /// The other side's certificate is made for somebody else.
    case wrongHost(String)
    /// The other side speaks something else, or agrees to nothing that we do.
    case failed(String)
    /// The two sides have not agreed in time.
    case lateHandshake
}

extension SecurityFault: CustomStringConvertible {
    /// A part of a sentence.
    public var description: String {
        switch self {
        case .unavailable: "there is no encryption in this program"
        case .malformedCertificate: "the certificate is not in PEM"
        case .malformedKey: "the key is not a private key in PEM"
        case .lockedKey: "the key is protected by a passphrase"
        case .malformedTrust: "the trusted certificates are not in PEM"
        case .keyMismatch: "the key is not that of the certificate"
        case .expired: "the certificate has expired"
        case .notYetValid: "the certificate is not valid yet"
        case .unusable(let reason): reason
        case .untrustedPeer(let reason): "the certificate of the other side is not trusted (\(reason))"
        case .wrongHost(let name): "the certificate of the other side is not made for \(name)"
        case .failed(let reason): "TLS failed (\(reason))"
        case .lateHandshake: "the TLS handshake was not finished in time"
        }
    }
}
