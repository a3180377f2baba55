import Environment
import SystemHost

/// The certificates of the tests (their README says what each is).
enum Certificates {
    /// The path of a file among them.
    static func path(_ name: String) -> String {
        let folder: String = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        return "/\(folder)/Resources/\(name)"
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        try SmallFiles.read(path(name))
    }

    static func identity(_ certificate: String, key: String? = nil) throws -> TransportIdentity {
        TransportIdentity(
            certificateChain: try bytes(certificate + ".pem"), privateKey: try bytes((key ?? certificate) + ".key"))
    }

    static func server(_ certificate: String = "server") throws -> ServerSecurity {
        ServerSecurity(try identity(certificate))
    }

    /// - Parameter client: the certificate that is shown; nil for none.
    static func client(
        trusting authority: String = "authority", hostName: String? = nil, as client: String? = nil
    ) throws -> ClientSecurity {
        var security = ClientSecurity()
        security.trusted = try bytes(authority + ".pem")
        security.hostName = hostName
        security.identity = try client.map { try identity($0) }
        return security
    }
}
