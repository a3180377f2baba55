import DataModel
public import Primitives

/// The body of an ERROR message (protocol specification, section 9), in both directions.
extension CQLError {
    /// The same error as a connection of `version` can be told it.
    ///
    /// Old versions lack some codes; a failure is then told as the time-out or invalid request nearest to it.
    public func converted(for version: ProtocolVersion) -> CQLError {
        switch self {
        case .readFailure(let message, let consistency, let received, let required, _, let isDataPresent)
        where !version.hasFailureErrors:
            .readTimeout(
                message: message, consistency: consistency, received: received, required: required,
                isDataPresent: isDataPresent)
        case .writeFailure(let message, let consistency, let received, let required, _, let type)
        where !version.hasFailureErrors:
            .writeTimeout(
                message: message, consistency: consistency, received: received, required: required, type: type,
                contentions: nil)
        case .functionFailure(let message, _, _, _) where !version.hasFailureErrors: .invalid(message: message)
        case .cdcWriteFailure(let message) where !version.hasFailureErrors: .invalid(message: message)
        case .casWriteUnknown(let message, let consistency, let received, let required) where version < .v5:
            .writeTimeout(
                message: message, consistency: consistency, received: received, required: required,
                type: .compareAndSet, contentions: nil)
        default: self
        }
    }

    /// Appends the body of an ERROR.
    public func write(into writer: inout ByteWriter, version: ProtocolVersion) {
        let error = converted(for: version)
        writer.write(error.code)
        writer.writeString(error.message)
        error.writePayload(into: &writer, version: version)
    }

    private func writePayload(into writer: inout ByteWriter, version: ProtocolVersion) {
        switch self {
        case .unavailable(_, let consistency, let required, let alive):
            CQLError.write(consistency, required, alive, into: &writer)
        case .writeTimeout(_, let consistency, let received, let required, let type, let contentions):
            CQLError.write(consistency, received, required, into: &writer)
            writer.writeString(type.rawValue)
            if version >= .v5, type == .compareAndSet { writer.write(contentions ?? 0) }
        case .readTimeout(_, let consistency, let received, let required, let isDataPresent):
            CQLError.write(consistency, received, required, into: &writer)
            writer.write(UInt8(isDataPresent ? 1 : 0))
        case .readFailure(_, let consistency, let received, let required, let failures, let isDataPresent):
            CQLError.write(consistency, received, required, into: &writer)
            CQLError.write(failures, into: &writer, version: version)
            writer.write(UInt8(isDataPresent ? 1 : 0))
        case .functionFailure(_, let keyspace, let function, let argumentTypes):
            writer.writeString(keyspace)
            writer.writeString(function)
            writer.writeStringList(argumentTypes)
        case .writeFailure(_, let consistency, let received, let required, let failures, let type):
            CQLError.write(consistency, received, required, into: &writer)
            CQLError.write(failures, into: &writer, version: version)
            writer.writeString(type.rawValue)
        case .casWriteUnknown(_, let consistency, let received, let required):
            CQLError.write(consistency, received, required, into: &writer)
        case .alreadyExists(_, let keyspace, let table):
            writer.writeString(keyspace)
            writer.writeString(table)
        case .unprepared(_, let statementID): writer.writeShortBytes(statementID)
        default: break
        }
    }

    private static func write(
        _ consistency: Consistency, _ first: Int32, _ second: Int32, into writer: inout ByteWriter
    ) {
        writer.write(consistency)
        writer.write(first)
        writer.write(second)
    }

    private static func write(
        _ failures: [ReplicaFailure], into writer: inout ByteWriter, version: ProtocolVersion
    ) {
        writer.write(Int32(clamping: failures.count))
        guard version.hasFailureReasons else { return }
        for failure in failures {
            writer.writeInetAddress(failure.address)
            writer.write(failure.reason.rawValue)
        }
    }

    /// Reads the body of an ERROR; a code that nobody knows becomes a server error with its message.
    public init(reading reader: inout ByteReader, version: ProtocolVersion) throws(ProtocolError) {
        let code = try reader.readInt("an error code")
        let message = try reader.readString()
        if let plain = CQLError.plain(code, message) {
            self = plain
            return
        }
        switch code {
        case 0x1400:
            let keyspace = try reader.readString()
            let function = try reader.readString()
            self = .functionFailure(
                message: message, keyspace: keyspace, function: function,
                argumentTypes: try reader.readStringList())
        case 0x2400:
            let keyspace = try reader.readString()
            self = .alreadyExists(message: message, keyspace: keyspace, table: try reader.readString())
        case 0x2500: self = .unprepared(message: message, statementID: try reader.readShortBytes())
        case 0x1000, 0x1100, 0x1200, 0x1300, 0x1500, 0x1700:
            self = try CQLError.readReplicaError(code, message, &reader, version)
        default: self = .serverError(message: "\(message) (code \(code))")
        }
    }

    /// The errors that have a message and nothing else.
    private static func plain(_ code: Int32, _ message: String) -> CQLError? {
        switch code {
        case 0x0000: .serverError(message: message)
        case 0x000A: .protocolError(message: message)
        case 0x0100: .badCredentials(message: message)
        case 0x1001: .overloaded(message: message)
        case 0x1002: .isBootstrapping(message: message)
        case 0x1003: .truncateError(message: message)
        case 0x1600: .cdcWriteFailure(message: message)
        case 0x2000: .syntaxError(message: message)
        case 0x2100: .unauthorized(message: message)
        case 0x2200: .invalid(message: message)
        case 0x2300: .configError(message: message)
        default: nil
        }
    }

    /// The errors that count replicas.
    private static func readReplicaError(
        _ code: Int32, _ message: String, _ reader: inout ByteReader, _ version: ProtocolVersion
    ) throws(ProtocolError) -> CQLError {
        let consistency = try reader.readConsistency()
        let first = try reader.readInt("a number of replicas")
        let second = try reader.readInt("a number of replicas")
        switch code {
        case 0x1000:
            return .unavailable(message: message, consistency: consistency, required: first, alive: second)
        case 0x1100:
            let type = try readWriteType(&reader)
            let hasContentions = type == .compareAndSet && version >= .v5 && reader.remaining >= 2
            let contentions: UInt16? = hasContentions ? try reader.readShort("contentions") : nil
            return .writeTimeout(
                message: message, consistency: consistency, received: first, required: second, type: type,
                contentions: contentions)
        case 0x1200:
            let isDataPresent = try reader.readByte("whether data is present") != 0
            return .readTimeout(
                message: message, consistency: consistency, received: first, required: second,
                isDataPresent: isDataPresent)
        case 0x1300:
            let failures = try readFailures(&reader, version)
            let isDataPresent = try reader.readByte("whether data is present") != 0
            return .readFailure(
                message: message, consistency: consistency, received: first, required: second, failures: failures,
                isDataPresent: isDataPresent)
        case 0x1500:
            let failures = try readFailures(&reader, version)
            return .writeFailure(
                message: message, consistency: consistency, received: first, required: second, failures: failures,
                type: try readWriteType(&reader))
        default:
            return .casWriteUnknown(message: message, consistency: consistency, received: first, required: second)
        }
    }

    private static func readWriteType(_ reader: inout ByteReader) throws(ProtocolError) -> WriteType {
        let name = try reader.readString()
        guard let type = WriteType(rawValue: name) else {
            throw ProtocolError("Invalid value '\(name)' for WriteType")
        }
        return type
    }

    /// Reads a reason map, or (v4) a bare count, which becomes as many failures of unknown reason and address.
    private static func readFailures(
        _ reader: inout ByteReader, _ version: ProtocolVersion
    ) throws(ProtocolError) -> [ReplicaFailure] {
        let count = Int(try reader.readInt("the number of failures"))
        guard count >= 0, count <= Int(UInt16.max) else { throw ProtocolError("Invalid number of failures: \(count)") }
        guard version.hasFailureReasons else {
            return Array(repeating: ReplicaFailure(address: .anyIPv4, reason: .unknown), count: count)
        }
        var failures: [ReplicaFailure] = []
        for _ in 0..<count {
            let address = try reader.readInetAddress()
            failures.append(
                ReplicaFailure(address: address, reason: FailureReason(code: try reader.readShort("a reason"))))
        }
        return failures
    }
}
