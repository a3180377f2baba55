/// A version of the CQL native protocol that we speak, and what differs between the versions.
///
/// A connection has one version, fixed by the first message that is accepted. `VersionNegotiation` answers the others.
public enum ProtocolVersion: UInt8, Comparable, CaseIterable, Sendable {
    case v3 = 3
    case v4 = 4
    case v5 = 5
    /// Not finished by those who define it, so a client has to ask for it with a flag; so far the same as v5.
    case v6 = 6

    /// The newest that clients get without asking for a beta version.
    public static let newest: ProtocolVersion = .v5
    /// The versions that need no flag, oldest first.
    public static let released: [ProtocolVersion] = [.v3, .v4, .v5]

    @inlinable
    public static func < (left: ProtocolVersion, right: ProtocolVersion) -> Bool { left.rawValue < right.rawValue }

    /// The form that SUPPORTED lists and error texts name, such as `5/v5`.
    public var name: String { "\(rawValue)/v\(rawValue)\(isBeta ? "-beta" : "")" }

    /// Whether every envelope has to carry the flag for beta versions.
    @inlinable public var isBeta: Bool { self == .v6 }

    /// Whether envelopes travel in checksummed segments once the handshake is over.
    @inlinable public var hasSegments: Bool { self >= .v5 }
    /// Whether the flags of query parameters take four bytes instead of one.
    @inlinable public var hasWideQueryFlags: Bool { self >= .v5 }
    /// Whether a bound value may be left unset.
    @inlinable public var hasUnsetValues: Bool { self >= .v4 }
    /// Whether envelopes may carry warnings and a custom payload.
    @inlinable public var hasWarnings: Bool { self >= .v4 }
    /// Whether a prepared statement names the bind markers of the partition key.
    @inlinable public var hasPartitionKeyIndexes: Bool { self >= .v4 }
    /// Whether there are read, write and function failures of their own.
    @inlinable public var hasFailureErrors: Bool { self >= .v4 }
    /// Whether failures carry a reason for every replica.
    @inlinable public var hasFailureReasons: Bool { self >= .v5 }
    /// Whether functions and aggregates have schema changes of their own.
    @inlinable public var hasFunctionEvents: Bool { self >= .v4 }
    /// Whether a request may name its keyspace and its idea of now.
    @inlinable public var hasKeyspaceAndNow: Bool { self >= .v5 }
    /// Whether prepared statements have an identifier of their result columns.
    @inlinable public var hasResultMetadataID: Bool { self >= .v5 }
}

/// How bodies (v3, v4) or segments (v5 and later) of a connection are compressed.
public enum Compression: UInt8, Sendable {
    case none, lz4, snappy

    /// The algorithms offered in SUPPORTED, in the order in which they are listed.
    public static let offeredNames: [String] = ["snappy", "lz4"]

    /// The algorithm that a STARTUP names, in any case of letters.
    ///
    /// - Throws: a protocol error when nobody knows the name or the version does not have it.
    public static func named(_ name: String, version: ProtocolVersion) throws(ProtocolError) -> Compression {
        switch name.lowercased() {
        case "lz4": return .lz4
        case "snappy":
            guard version < .v5 else { throw ProtocolError("Snappy compression is not supported in protocol V5") }
            return .snappy
        default: throw ProtocolError("Unknown compression algorithm: \(name.lowercased())")
        }
    }

    /// The name that STARTUP carries; nil for none.
    public var optionName: String? {
        switch self {
        case .none: nil
        case .lz4: "lz4"
        case .snappy: "snappy"
        }
    }
}
