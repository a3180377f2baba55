import CQL

/// Statements that the language has and this server does not carry out, each with one clear sentence.
enum UnavailableStatements {
    static func refusal(of statement: Statement) -> CQLError {
        switch statement {
        case .createView, .alterView, .dropView:
            .invalid(message: "Materialized views are disabled.")
        case .createFunction, .dropFunction, .createAggregate, .dropAggregate:
            .invalid(message: "User-defined functions are disabled.")
        case .createIndex, .dropIndex: .invalid(message: "Secondary indexes are disabled.")
        case .createTrigger, .dropTrigger: .invalid(message: "Triggers are disabled.")
        default:
            .invalid(
                message: "Roles and permissions are disabled: this server authenticates nobody (AllowAllAuthenticator)."
            )
        }
    }
}
