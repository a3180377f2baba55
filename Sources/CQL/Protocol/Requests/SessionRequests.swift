import Primitives

/// A STARTUP: the options of a connection.
public struct StartupRequest: Equatable, Sendable {
    /// All options, keys in upper case.
    public var options: [String: String]

    public init(options: [String: String]) {
        self.options = [:]
        for key in options.keys.sorted() { self.options[key.uppercased()] = options[key] }
    }

    public init(decoding body: RawSpan) throws(ProtocolError) {
        var reader = ByteReader(body)
        self.init(options: try reader.readStringMap())
    }

    public var driverName: String? { options["DRIVER_NAME"] }
    public var driverVersion: String? { options["DRIVER_VERSION"] }
    /// Whether the client wants an OVERLOADED error instead of back-pressure.
    public var throwsOnOverload: Bool { options["THROW_ON_OVERLOAD"] == "1" }

    /// Checks the language version, and finds out the compression.
    ///
    /// - Throws: a protocol error with Cassandra's words when the version is missing or too old, or the compression is
    ///   not to be had.
    public func validated(version: ProtocolVersion) throws(ProtocolError) -> Compression {
        guard let language = options["CQL_VERSION"] else {
            throw ProtocolError("Missing value CQL_VERSION in STARTUP message")
        }
        try StartupRequest.check(language)
        guard let compression = options["COMPRESSION"] else { return .none }
        return try Compression.named(compression, version: version)
    }

    /// Accepts 2.99 and everything newer, as Cassandra does.
    private static func check(_ language: String) throws(ProtocolError) {
        let numbers = language.split(separator: "-", maxSplits: 1)[...].first?.split(separator: ".") ?? []
        let major: Int? = numbers.first.flatMap { Int($0) }
        let minor: Int? = numbers.count > 1 ? Int(numbers[1]) : 0
        guard let major, let minor, numbers.count <= 4 else {
            throw ProtocolError("Invalid version value: \(language)")
        }
        guard major >= 3 || (major == 2 && minor >= 99) else {
            throw ProtocolError(
                "CQL version \(language) is not supported by the binary protocol (supported version are >= 3.0.0)")
        }
    }
}

/// A REGISTER: the events that a connection wants to be told of.
public struct RegisterRequest: Equatable, Sendable {
    public var types: [EventType]

    public init(types: [EventType]) {
        self.types = types
    }

    public init(decoding body: RawSpan, version: ProtocolVersion) throws(ProtocolError) {
        var reader = ByteReader(body)
        var types: [EventType] = []
        for name in try reader.readStringList() {
            guard let type = EventType(rawValue: name.uppercased()) else {
                throw ProtocolError("Invalid value '\(name)' for Type")
            }
            guard type != .traceComplete || version >= .v4 else {
                throw ProtocolError("Event \(type.rawValue) not valid for protocol version \(version.name)")
            }
            if !types.contains(type) { types.append(type) }
        }
        self.types = types
    }
}

/// An AUTH_RESPONSE: the client's token.
public struct AuthResponseRequest: Equatable, Sendable {
    /// Nil when the client sent null.
    public var token: [UInt8]?

    public init(token: [UInt8]?) {
        self.token = token
    }

    public init(decoding body: RawSpan) throws(ProtocolError) {
        var reader = ByteReader(body)
        self.token = try reader.readOptionalBytes()
    }

    /// The parts of a SASL PLAIN token: NUL user NUL password, with an authorization identity before the first NUL.
    public var plainCredentials: (user: String, password: String)? {
        guard let token else { return nil }
        let parts = token.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let user = String(validating: parts[1], as: UTF8.self),
            let password = String(validating: parts[2], as: UTF8.self)
        else { return nil }
        return (user, password)
    }

    /// The token of SASL PLAIN.
    public static func plain(user: String, password: String) -> AuthResponseRequest {
        AuthResponseRequest(token: [0] + Array(user.utf8) + [0] + Array(password.utf8))
    }
}
