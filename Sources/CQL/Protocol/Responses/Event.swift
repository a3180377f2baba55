public import Primitives

/// The kinds of events that a connection can register for.
public enum EventType: String, Sendable, CaseIterable {
    case topologyChange = "TOPOLOGY_CHANGE"
    case statusChange = "STATUS_CHANGE"
    case schemaChange = "SCHEMA_CHANGE"
    /// In Cassandra's list since v4, but never sent.
    case traceComplete = "TRACE_COMPLETE"
}

/// A change of the schema, as a RESULT and as an EVENT carry it.
public struct SchemaChange: Hashable, Sendable {
    public enum Change: String, Sendable {
        case created = "CREATED"
        case updated = "UPDATED"
        case dropped = "DROPPED"
    }

    public enum Target: Hashable, Sendable {
        case keyspace
        case table(String)
        case type(String)
        case function(String, argumentTypes: [String])
        case aggregate(String, argumentTypes: [String])
    }

    public var change: Change
    public var keyspace: String
    public var target: Target

    public init(_ change: Change, keyspace: String, target: Target = .keyspace) {
        self.change = change
        self.keyspace = keyspace
        self.target = target
    }

    /// Appends the change; v3 has no functions, so it is told that their keyspace was updated.
    public func write(into writer: inout ByteWriter, version: ProtocolVersion) {
        switch target {
        case .keyspace: writeStart("KEYSPACE", into: &writer)
        case .table(let name):
            writeStart("TABLE", into: &writer)
            writer.writeString(name)
        case .type(let name):
            writeStart("TYPE", into: &writer)
            writer.writeString(name)
        case .function, .aggregate:
            guard version.hasFunctionEvents else {
                SchemaChange(.updated, keyspace: keyspace).write(into: &writer, version: version)
                return
            }
            writeCallable(into: &writer)
        }
    }

    private func writeCallable(into writer: inout ByteWriter) {
        switch target {
        case .function(let name, let argumentTypes):
            writeStart("FUNCTION", into: &writer)
            writer.writeString(name)
            writer.writeStringList(argumentTypes)
        case .aggregate(let name, let argumentTypes):
            writeStart("AGGREGATE", into: &writer)
            writer.writeString(name)
            writer.writeStringList(argumentTypes)
        default: break
        }
    }

    private func writeStart(_ target: String, into writer: inout ByteWriter) {
        writer.writeString(change.rawValue)
        writer.writeString(target)
        writer.writeString(keyspace)
    }

    public init(reading reader: inout ByteReader) throws(ProtocolError) {
        let changeName = try reader.readString()
        guard let change = Change(rawValue: changeName.uppercased()) else {
            throw ProtocolError("Invalid value '\(changeName)' for Change")
        }
        let targetName = try reader.readString()
        let keyspace = try reader.readString()
        let target: Target
        switch targetName.uppercased() {
        case "KEYSPACE": target = .keyspace
        case "TABLE": target = .table(try reader.readString())
        case "TYPE": target = .type(try reader.readString())
        case "FUNCTION":
            let name = try reader.readString()
            target = .function(name, argumentTypes: try reader.readStringList())
        case "AGGREGATE":
            let name = try reader.readString()
            target = .aggregate(name, argumentTypes: try reader.readStringList())
        default: throw ProtocolError("Invalid value '\(targetName)' for Target")
        }
        self.init(change, keyspace: keyspace, target: target)
    }
}

/// Something that a server tells without having been asked, on stream −1.
public enum Event: Hashable, Sendable {
    public enum TopologyChange: String, Sendable {
        case newNode = "NEW_NODE"
        case removedNode = "REMOVED_NODE"
        case movedNode = "MOVED_NODE"
    }

    public enum StatusChange: String, Sendable {
        case up = "UP"
        case down = "DOWN"
    }

    case topology(TopologyChange, InetEndpoint)
    case status(StatusChange, InetEndpoint)
    case schema(SchemaChange)

    /// The stream of everything that a server pushes.
    public static let stream: Int16 = -1

    public var type: EventType {
        switch self {
        case .topology: .topologyChange
        case .status: .statusChange
        case .schema: .schemaChange
        }
    }

    /// Appends the body of an EVENT.
    public func write(into writer: inout ByteWriter, version: ProtocolVersion) {
        writer.writeString(type.rawValue)
        switch self {
        case .topology(let change, let endpoint):
            writer.writeString(change.rawValue)
            writer.writeInet(endpoint)
        case .status(let change, let endpoint):
            writer.writeString(change.rawValue)
            writer.writeInet(endpoint)
        case .schema(let change): change.write(into: &writer, version: version)
        }
    }

    public init(reading reader: inout ByteReader) throws(ProtocolError) {
        let name = try reader.readString()
        switch EventType(rawValue: name.uppercased()) {
        case .topologyChange:
            let change = try reader.readString()
            guard let known = TopologyChange(rawValue: change.uppercased()) else {
                throw ProtocolError("Invalid value '\(change)' for Change")
            }
            self = .topology(known, try reader.readInet())
        case .statusChange:
            let change = try reader.readString()
            guard let known = StatusChange(rawValue: change.uppercased()) else {
                throw ProtocolError("Invalid value '\(change)' for Status")
            }
            self = .status(known, try reader.readInet())
        case .schemaChange: self = .schema(try SchemaChange(reading: &reader))
        default: throw ProtocolError("Invalid value '\(name)' for Type")
        }
    }
}
