package import CQL
import DataModel
import MartletClient

/// Errors in the words that scripts around cqlsh look for.
package enum ErrorText {
    /// For example `InvalidRequest: Error from server: code=2200 [Invalid query] message="…"`.
    package static func text(_ error: any Error) -> String {
        switch error {
        case let error as CQLError: return text(error)
        case let error as ClientError:
            if case .timedOut = error { return "OperationTimedOut: \(error)" }
            return "NoHostAvailable: \(error)"
        case is CancellationError: return "Cancelled: the statement was interrupted"
        default: return "\(error)"
        }
    }

    package static func text(_ error: CQLError) -> String {
        if case .alreadyExists(_, let keyspace, let table) = error {
            let what: String = table.isEmpty ? "Keyspace '\(keyspace)'" : "Table '\(keyspace).\(table)'"
            return "AlreadyExists: \(what) already exists"
        }
        let digits = String(UInt32(bitPattern: error.code), radix: 16)
        let code: String = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        let (name, summary) = kind(error)
        return "\(name): Error from server: code=\(code) [\(summary)] message=\"\(error.message)\"" + payload(error)
    }

    /// The names of the Python driver's exceptions, and what it calls the codes.
    private static func kind(_ error: CQLError) -> (name: String, summary: String) {
        switch error {
        case .serverError: ("ServerError", "Server error")
        case .protocolError: ("ProtocolException", "Protocol error")
        case .badCredentials: ("AuthenticationFailed", "Bad credentials")
        case .unavailable: ("Unavailable", "Unavailable exception")
        case .overloaded: ("OverloadedErrorMessage", "Coordinator node overloaded")
        case .isBootstrapping: ("IsBootstrappingErrorMessage", "Coordinator node is bootstrapping")
        case .truncateError: ("TruncateError", "Error during truncate")
        case .writeTimeout: ("WriteTimeout", "Coordinator node timed out waiting for replica nodes' responses")
        case .readTimeout: ("ReadTimeout", "Coordinator node timed out waiting for replica nodes' responses")
        case .readFailure: ("ReadFailure", "Replica(s) failed to execute read")
        case .functionFailure: ("FunctionFailure", "User Defined Function failure")
        case .writeFailure: ("WriteFailure", "Replica(s) failed to execute write")
        case .cdcWriteFailure: ("CDCWriteException", "Failed to execute write due to CDC space exhausted.")
        case .casWriteUnknown: ("CASWriteUnknown", "CAS write unknown")
        case .syntaxError: ("SyntaxException", "Syntax error in CQL query")
        case .unauthorized: ("Unauthorized", "Unauthorized")
        case .invalid: ("InvalidRequest", "Invalid query")
        case .configError: ("ConfigurationException", "Query invalid because of configuration issue")
        case .alreadyExists: ("AlreadyExists", "Item already exists")
        case .unprepared: ("PreparedQueryNotFound", "Prepared query not found")
        }
    }

    private static func payload(_ error: CQLError) -> String {
        switch error {
        case .unavailable(_, let consistency, let required, let alive):
            return " info={'consistency': '\(consistency.name)', 'required_replicas': \(required), "
                + "'alive_replicas': \(alive)}"
        case .writeTimeout(_, let consistency, let received, let required, let type, _):
            return counts(consistency, received, required, ", 'write_type': '\(type.rawValue)'")
        case .readTimeout(_, let consistency, let received, let required, _),
            .casWriteUnknown(_, let consistency, let received, let required):
            return counts(consistency, received, required, "")
        case .readFailure(_, let consistency, let received, let required, let failures, _):
            return counts(consistency, received, required, ", 'failures': \(failures.count)" + reasons(failures))
        case .writeFailure(_, let consistency, let received, let required, let failures, let type):
            let kind: String = ", 'write_type': '\(type.rawValue)'"
            return counts(consistency, received, required, ", 'failures': \(failures.count)" + kind + reasons(failures))
        case .functionFailure(_, let keyspace, let function, let types):
            let list: String = types.map { "'\($0)'" }.joined(separator: ", ")
            return " info={'keyspace': '\(keyspace)', 'function': '\(function)', 'arg_types': [\(list)]}"
        default: return ""
        }
    }

    private static func counts(
        _ consistency: Consistency, _ received: Int32, _ required: Int32, _ more: String
    ) -> String {
        " info={'consistency': '\(consistency.name)', 'required_responses': \(required), "
            + "'received_responses': \(received)\(more)}"
    }

    private static func reasons(_ failures: [ReplicaFailure]) -> String {
        let known: [ReplicaFailure] = failures.filter { $0.address != .anyIPv4 }
        if known.isEmpty { return "" }
        let list: [String] = known.map { failure in
            let digits = String(failure.reason.rawValue, radix: 16)
            return "'\(failure.address)': '0x\(String(repeating: "0", count: max(0, 4 - digits.count)))\(digits)'"
        }
        return ", 'error_code_map': {\(list.joined(separator: ", "))}"
    }
}
