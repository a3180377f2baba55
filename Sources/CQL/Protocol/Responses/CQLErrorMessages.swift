public import DataModel

/// Errors with the words that drivers, scripts and people know from Cassandra.
extension CQLError {
    public static func unavailable(_ consistency: Consistency, required: Int, alive: Int) -> CQLError {
        .unavailable(
            message: "Cannot achieve consistency level \(consistency.name)", consistency: consistency,
            required: Int32(clamping: required), alive: Int32(clamping: alive))
    }

    public static func writeTimeout(
        _ type: WriteType, _ consistency: Consistency, received: Int, required: Int
    ) -> CQLError {
        .writeTimeout(
            message: "Operation timed out - received only \(received) responses.", consistency: consistency,
            received: Int32(clamping: received), required: Int32(clamping: required), type: type, contentions: nil)
    }

    /// A lightweight transaction that ran out of time while others wanted the same partition.
    public static func casTimeout(
        _ consistency: Consistency, received: Int, required: Int, contentions: Int
    ) -> CQLError {
        let words =
            "CAS operation timed out: received \(received) of \(required) required responses "
            + "after \(contentions) contention retries"
        return .writeTimeout(
            message: words, consistency: consistency, received: Int32(clamping: received),
            required: Int32(clamping: required), type: .compareAndSet, contentions: UInt16(clamping: contentions))
    }

    public static func casWriteUnknown(_ consistency: Consistency, received: Int, required: Int) -> CQLError {
        .casWriteUnknown(
            message: "CAS operation result is unknown - proposal accepted by \(received) but not a quorum.",
            consistency: consistency, received: Int32(clamping: received), required: Int32(clamping: required))
    }

    public static func readTimeout(
        _ consistency: Consistency, received: Int, required: Int, isDataPresent: Bool
    ) -> CQLError {
        .readTimeout(
            message: "Operation timed out - received only \(received) responses.", consistency: consistency,
            received: Int32(clamping: received), required: Int32(clamping: required), isDataPresent: isDataPresent)
    }

    public static func readFailure(
        _ consistency: Consistency, received: Int, required: Int, failures: [ReplicaFailure], isDataPresent: Bool
    ) -> CQLError {
        .readFailure(
            message: failureText(received: received, failures: failures), consistency: consistency,
            received: Int32(clamping: received), required: Int32(clamping: required), failures: failures,
            isDataPresent: isDataPresent)
    }

    public static func writeFailure(
        _ type: WriteType, _ consistency: Consistency, received: Int, required: Int, failures: [ReplicaFailure]
    ) -> CQLError {
        .writeFailure(
            message: failureText(received: received, failures: failures), consistency: consistency,
            received: Int32(clamping: received), required: Int32(clamping: required), failures: failures, type: type)
    }

    public static func alreadyExists(keyspace: String) -> CQLError {
        .alreadyExists(
            message: "Cannot add existing keyspace \"\(keyspace)\"", keyspace: keyspace, table: "")
    }

    public static func alreadyExists(keyspace: String, table: String) -> CQLError {
        .alreadyExists(
            message: "Cannot add already existing table \"\(table)\" to keyspace \"\(keyspace)\"",
            keyspace: keyspace, table: table)
    }

    public static func unprepared(statementID: [UInt8]) -> CQLError {
        let digits: [Character] = Array("0123456789abcdef")
        var text = ""
        for byte in statementID {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return .unprepared(
            message: "Prepared query with ID \(text) not found (either the query was not prepared on this host "
                + "(maybe the host has been restarted?) or you have prepared too many queries and it has "
                + "been evicted from the internal cache)",
            statementID: statementID)
    }

    /// The counts, and who failed why, grouped by reason.
    private static func failureText(received: Int, failures: [ReplicaFailure]) -> String {
        var text = "Operation failed - received \(received) responses and \(failures.count) failures"
        var separator = ": "
        for reason in FailureReason.allCases {
            let addresses = failures.filter { $0.reason == reason }.map { "/\($0.address)" }
            if addresses.isEmpty { continue }
            text += separator + reason.name + " from " + addresses.joined(separator: ", ")
            separator = ", "
        }
        return text
    }
}
