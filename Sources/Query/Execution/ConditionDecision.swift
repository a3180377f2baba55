import CQL
import DataModel
import Primitives

/// Whether the conditions of a lightweight transaction hold, and the rows that tell the client.
struct ConditionDecision {
    private(set) var isApplied = true
    private(set) var rows: QueryRows

    init(_ work: PartitionWork, _ found: StoredPartition, isBatch: Bool) throws {
        let table = work.table
        self.rows = QueryRows(columns: [ConditionDecision.appliedColumn(table)], rows: [[[1]]])
        for step in work.steps where step.plan.condition.isPresent {
            if try !ConditionDecision.holds(step, found, work) { isApplied = false }
        }
        guard !isApplied else { return }
        let shown: [CompiledColumn] = ConditionDecision.shownColumns(work, isBatch: isBatch)
        var results: [[[UInt8]?]] = []
        for step in work.steps where step.plan.condition.isPresent {
            let position = try ConditionDecision.position(step, found, work)
            guard position.regulars.isLive || position.statics.isLive else { continue }
            var row: [[UInt8]?] = [[0]]
            for column in shown { row.append(try position.array(column)) }
            if !results.contains(row) { results.append(row) }
        }
        if results.isEmpty {
            rows = QueryRows(columns: [ConditionDecision.appliedColumn(table)], rows: [[[0]]])
        } else {
            rows = QueryRows(
                columns: [ConditionDecision.appliedColumn(table)] + shown.map { table.specification($0) }, rows: results
            )
        }
    }

    private static func appliedColumn(_ table: CompiledTable) -> ColumnSpecification {
        table.specification(named: "[applied]", type: .boolean)
    }

    private static func shownColumns(_ work: PartitionWork, isBatch: Bool) -> [CompiledColumn] {
        var names: Set<String> = []
        var showsAll = false
        for step in work.steps {
            switch step.plan.condition {
            case .none: break
            case .exists, .notExists: showsAll = true
            case .columns(let conditions): names.formUnion(conditions.map(\.column.name))
            }
        }
        if showsAll { return work.table.columns }
        let keys: [CompiledColumn] = isBatch ? work.table.partitionKey + work.table.clustering : []
        return keys + (work.table.statics + work.table.regulars).filter { names.contains($0.name) }
    }

    /// The row that a statement is about, as it is now.
    private static func position(
        _ step: ModificationExecution, _ found: StoredPartition, _ work: PartitionWork
    ) throws -> CurrentPosition {
        let position = CurrentPosition(work.table)
        let key: [UInt8] = step.plan.namesRows ? try step.clusteringKeys().first ?? [] : []
        let row: [UInt8] = step.plan.namesRows ? found.rows[key] ?? [] : []
        try position.keep(
            key: work.key, staticRow: found.staticRow, clustering: step.plan.namesRows ? key : nil, row: row,
            now: step.times.nowSeconds)
        return position
    }

    private static func holds(
        _ step: ModificationExecution, _ found: StoredPartition, _ work: PartitionWork
    ) throws -> Bool {
        let position = try self.position(step, found, work)
        let exists: Bool = step.plan.namesRows ? position.regulars.isLive : position.statics.isLive
        switch step.plan.condition {
        case .none: return true
        case .exists: return exists
        case .notExists: return !exists
        case .columns(let conditions):
            for condition in conditions {
                let value: [UInt8]? = try position.array(condition.column)
                guard try holds(condition, value, step.bindings) else { return false }
            }
            return true
        }
    }

    private static func holds(_ condition: ColumnCondition, _ whole: [UInt8]?, _ bindings: Bindings) throws -> Bool {
        let value: [UInt8]? = try part(condition, whole, bindings)
        let form = ComparableForm(condition.type)
        switch condition.check {
        case .compare(let comparison, let expression):
            let wanted = try expression.evaluate(bindings)
            if wanted == .unset { throw CQLError.invalid(message: "Invalid 'unset' value in condition") }
            return try compare(value, comparison, wanted.bytes, form, condition)
        case .isIn(let membership):
            let wanted: [[UInt8]?] = try candidates(membership, bindings, condition)
            return try wanted.contains { try compare(value, .equal, $0, form, condition) }
        case .contains(let expression, let element, let inKeys):
            guard let wanted = try expression.evaluate(bindings).bytes else {
                throw CQLError.invalid(
                    message: "Invalid comparison with null for operator \"\(inKeys ? "CONTAINS KEY" : "CONTAINS")\"")
            }
            guard let value else { return false }
            let parts: [[UInt8]] =
                condition.type.kind != .map
                ? try Membership.elements(value)
                : try ScalarFunction.entries(value).map { inKeys ? $0.key : $0.value }
            let elementForm = ComparableForm(element)
            return parts.contains { elementForm.order($0.span.bytes, wanted.span.bytes) == 0 }
        }
    }

    // Kept apart: inlined into its caller, the optimiser of Swift 6.3 fails on the loop.
    @inline(never)
    private static func candidates(
        _ membership: Membership, _ bindings: Bindings, _ condition: ColumnCondition
    ) throws -> [[UInt8]?] {
        guard case .expressions(let expressions) = membership else {
            return try membership.values(bindings, named: condition.column.name)
        }
        var values: [[UInt8]?] = []
        for expression in expressions { values.append(try expression.evaluate(bindings).bytes) }
        return values
    }

    @inline(never)
    private static func compare(
        _ value: [UInt8]?, _ comparison: ComparisonOperator, _ wanted: [UInt8]?, _ form: ComparableForm,
        _ condition: ColumnCondition
    ) throws -> Bool {
        // An empty collection of several cells is the same as none.
        let present: [UInt8]? = condition.column.isMultiCell && value.map(isEmptyCollection) == true ? nil : value
        let sought: [UInt8]? = condition.column.isMultiCell && wanted.map(isEmptyCollection) == true ? nil : wanted
        guard let sought else {
            switch comparison {
            case .equal: return present == nil
            case .notEqual: return present != nil
            default:
                throw CQLError.invalid(
                    message: "Invalid comparison with null for operator \"\(comparison.rawValue)\"")
            }
        }
        guard let present else { return comparison == .notEqual }
        return Filter.holds(comparison, form.order(present.span.bytes, sought.span.bytes))
    }

    private static func isEmptyCollection(_ bytes: [UInt8]) -> Bool { bytes == [0, 0, 0, 0] }

    /// The element or field that a condition is about.
    private static func part(_ condition: ColumnCondition, _ whole: [UInt8]?, _ bindings: Bindings) throws -> [UInt8]? {
        switch condition.subject {
        case .whole: return whole
        case .field(let index):
            return try ScalarFunction.field(index, of: condition.column.type, named: "").call([whole], bindings)
        case .element(let key):
            guard let keyBytes = try key.evaluate(bindings).bytes else {
                throw CQLError.invalid(
                    message: "Invalid null value for element access of column \(condition.column.name)")
            }
            let function = try ScalarFunction.element(of: condition.column.type, named: condition.column.name)
            return try function.call([whole, keyBytes], bindings)
        }
    }
}
