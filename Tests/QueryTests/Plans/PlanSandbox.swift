import CQL
import DataModel
import Testing

@testable import Query

/// A schema against which tests plan statements.
struct PlanSandbox {
    let catalog: Catalog

    init(_ statements: String...) throws {
        var sandbox = try SchemaSandbox()
        for statement in statements { try sandbox.apply(statement) }
        self.catalog = Catalog(sandbox.schema, localDatacenter: "dc1")
    }

    func prepare(_ text: String) throws -> PreparedStatement {
        try StatementPreparer(catalog, keyspace: "ks").prepare(text)
    }

    func modification(_ text: String) throws -> ModificationPlan {
        guard case .modification(let plan) = try prepare(text).plan else {
            throw CQLError.serverError(message: "no modification: \(text)")
        }
        return plan
    }

    /// The text of the error that a statement is refused with; nil when it is not.
    func refusal(_ text: String) -> String? {
        do {
            _ = try prepare(text)
            return nil
        } catch let error as CQLError {
            return error.message
        } catch {
            return "\(error)"
        }
    }
}
