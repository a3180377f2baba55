public import DataModel

/// What kind of write failed, as drivers' retry policies want to know.
public enum WriteType: String, Sendable, CaseIterable {
    case simple = "SIMPLE"
    case batch = "BATCH"
    case unloggedBatch = "UNLOGGED_BATCH"
    case counter = "COUNTER"
    case batchLog = "BATCH_LOG"
    case compareAndSet = "CAS"
    case view = "VIEW"
    case cdc = "CDC"
}

/// Why one replica failed a request (protocol specification v5, section 8).
public enum FailureReason: UInt16, Sendable, CaseIterable {
    case unknown = 0
    case readTooManyTombstones = 1
    case timeout = 2
    case incompatibleSchema = 3
    case readSize = 4
    case nodeDown = 5
    case indexNotAvailable = 6
    case readTooManyIndexes = 7
    case notMetadataMember = 8
    case invalidRouting = 9
    case coordinatorBehind = 10

    /// The reason with a wire code; an unknown code is an unknown reason.
    public init(code: UInt16) {
        self = FailureReason(rawValue: code) ?? .unknown
    }

    public var name: String {
        switch self {
        case .unknown: "UNKNOWN"
        case .readTooManyTombstones: "READ_TOO_MANY_TOMBSTONES"
        case .timeout: "TIMEOUT"
        case .incompatibleSchema: "INCOMPATIBLE_SCHEMA"
        case .readSize: "READ_SIZE"
        case .nodeDown: "NODE_DOWN"
        case .indexNotAvailable: "INDEX_NOT_AVAILABLE"
        case .readTooManyIndexes: "READ_TOO_MANY_INDEXES"
        case .notMetadataMember: "NOT_CMS"
        case .invalidRouting: "INVALID_ROUTING"
        case .coordinatorBehind: "COORDINATOR_BEHIND"
        }
    }
}

/// A replica that failed, and why.
public struct ReplicaFailure: Hashable, Sendable {
    public var address: InetAddress
    public var reason: FailureReason

    public init(address: InetAddress, reason: FailureReason) {
        self.address = address
        self.reason = reason
    }
}

/// An error as a client sees it: a code, one sentence, and what the code's payload says.
public enum CQLError: Error, Equatable, Sendable {
    case serverError(message: String)
    case protocolError(message: String)
    case badCredentials(message: String)
    case unavailable(message: String, consistency: Consistency, required: Int32, alive: Int32)
    case overloaded(message: String)
    case isBootstrapping(message: String)
    case truncateError(message: String)
    /// `contentions` is sent for lightweight transactions from v5 on.
    case writeTimeout(
        message: String, consistency: Consistency, received: Int32, required: Int32, type: WriteType,
        contentions: UInt16?)
    case readTimeout(
        message: String, consistency: Consistency, received: Int32, required: Int32, isDataPresent: Bool)
    case readFailure(
        message: String, consistency: Consistency, received: Int32, required: Int32, failures: [ReplicaFailure],
        isDataPresent: Bool)
    case functionFailure(message: String, keyspace: String, function: String, argumentTypes: [String])
    case writeFailure(
        message: String, consistency: Consistency, received: Int32, required: Int32, failures: [ReplicaFailure],
        type: WriteType)
    case cdcWriteFailure(message: String)
    case casWriteUnknown(message: String, consistency: Consistency, received: Int32, required: Int32)
    case syntaxError(message: String)
    case unauthorized(message: String)
    case invalid(message: String)
    case configError(message: String)
    /// `table` is empty when it is the keyspace that exists.
    case alreadyExists(message: String, keyspace: String, table: String)
    case unprepared(message: String, statementID: [UInt8])

    /// The wire code.
    public var code: Int32 {
        switch self {
        case .serverError: 0x0000
        case .protocolError: 0x000A
        case .badCredentials: 0x0100
        case .unavailable: 0x1000
        case .overloaded: 0x1001
        case .isBootstrapping: 0x1002
        case .truncateError: 0x1003
        case .writeTimeout: 0x1100
        case .readTimeout: 0x1200
        case .readFailure: 0x1300
        case .functionFailure: 0x1400
        case .writeFailure: 0x1500
        case .cdcWriteFailure: 0x1600
        case .casWriteUnknown: 0x1700
        case .syntaxError: 0x2000
        case .unauthorized: 0x2100
        case .invalid: 0x2200
        case .configError: 0x2300
        case .alreadyExists: 0x2400
        case .unprepared: 0x2500
        }
    }

    public var message: String {
        switch self {
        case .serverError(let message), .protocolError(let message), .badCredentials(let message),
            .overloaded(let message), .isBootstrapping(let message), .truncateError(let message),
            .cdcWriteFailure(let message), .syntaxError(let message), .unauthorized(let message),
            .invalid(let message), .configError(let message):
            message
        case .unavailable(let message, _, _, _): message
        case .writeTimeout(let message, _, _, _, _, _): message
        case .readTimeout(let message, _, _, _, _): message
        case .readFailure(let message, _, _, _, _, _): message
        case .functionFailure(let message, _, _, _): message
        case .writeFailure(let message, _, _, _, _, _): message
        case .casWriteUnknown(let message, _, _, _): message
        case .alreadyExists(let message, _, _): message
        case .unprepared(let message, _): message
        }
    }
}
