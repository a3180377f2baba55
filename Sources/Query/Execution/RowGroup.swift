import CQL
import DataModel
import Primitives

/// The rows that an aggregate query puts into one row of its result.
///
/// What is selected beside the aggregates shows the values of the group's first row.
final class RowGroup {
    private let plan: SelectPlan
    private var states: [any AggregateState] = []
    private var key: [UInt8] = []
    private var clustering: [UInt8] = []
    private(set) var isOpen = false
    /// The first row's value of every output that holds no aggregate.
    private var first: [[UInt8]?] = []
    private var firstColumns: [String: [UInt8]] = [:]

    init(_ plan: SelectPlan) {
        self.plan = plan
        reset()
    }

    private func reset() {
        states = plan.aggregates.map { $0.function.makeState() }
        isOpen = false
        first = []
        firstColumns = [:]
    }

    /// Whether a row with this key belongs to another group than the one before it; it begins one then.
    func starts(key: [UInt8], clustering: [UInt8]) -> Bool {
        if isOpen, key == self.key, clustering == self.clustering { return false }
        self.key = key
        self.clustering = clustering
        return true
    }

    func add(_ position: CurrentPosition, _ bindings: Bindings) throws {
        if !isOpen {
            isOpen = true
            for column in plan.table.columns { firstColumns[column.name] = try position.array(column) }
            for output in plan.outputs {
                first.append(
                    output.selector.holdsAggregate
                        ? nil : try SelectorEvaluation.value(output.selector, position, bindings, []))
            }
        }
        for (index, use) in plan.aggregates.enumerated() {
            guard let argument = use.argument else {
                try states[index].add(nil)
                continue
            }
            if let value = try SelectorEvaluation.value(argument, position, bindings, []) {
                try states[index].add(value)
            }
        }
    }

    /// The values of the group's row; the group is empty afterwards.
    func finish(_ bindings: Bindings) throws -> [[UInt8]?] {
        var results: [[UInt8]?] = []
        for state in states { results.append(try state.result()) }
        var values: [[UInt8]?] = []
        for (index, output) in plan.outputs.enumerated() {
            if output.selector.holdsAggregate {
                values.append(try SelectorEvaluation.value(output.selector, columns: firstColumns, bindings, results))
            } else {
                values.append(isOpen ? first[index] : nil)
            }
        }
        reset()
        return values
    }
}

extension CompiledSelector {
    var holdsAggregate: Bool {
        switch self {
        case .aggregate: true
        case .call(_, let arguments): arguments.contains(where: \.holdsAggregate)
        default: false
        }
    }
}
