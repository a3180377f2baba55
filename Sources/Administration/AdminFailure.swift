package import DataModel

/// Why a node does not do what it was asked for.
package enum AdminFailure: Error, Equatable, Sendable {
    /// The question is wrong: a keyspace, a table or a node that is not there, a key that is no value.
    case invalid(String)
    /// It cannot be done now.
    case unavailable(String)

    package var reason: String {
        switch self {
        case .invalid(let reason), .unavailable(let reason): reason
        }
    }
}

/// The form in which failures travel.
package struct FailureReport: Report {
    package var reason: String

    package init(reason: String) {
        self.reason = reason
    }

    package init(json: JSONValue) throws(MalformedReport) {
        self.init(reason: try JSONRecord(json).text("error"))
    }

    package var json: JSONValue { .record(["error": .string(reason)]) }
}
