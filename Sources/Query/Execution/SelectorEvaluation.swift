import CQL
import DataModel
import Primitives

/// Evaluates what a selection asks for besides plain columns.
enum SelectorEvaluation {
    /// The value for the row that `position` stands on; `aggregates` are the results of finished aggregates.
    static func value(
        _ selector: CompiledSelector, _ position: CurrentPosition, _ bindings: Bindings, _ aggregates: [[UInt8]?]
    ) throws -> [UInt8]? {
        switch selector {
        case .column(let column): return try position.array(column)
        case .writeTime(let column):
            let cell = position.cell(column)
            return cell.hasValue ? bigint(cell.timestamp) : nil
        case .timeToLive(let column):
            let cell = position.cell(column)
            guard cell.hasValue, cell.expires != .max else { return nil }
            return int(Int32(clamping: cell.expires - bindings.nowSeconds))
        case .term(let expression): return try expression.evaluate(bindings).bytes
        case .call(let function, let arguments):
            var values: [[UInt8]?] = []
            for argument in arguments { values.append(try value(argument, position, bindings, aggregates)) }
            return try function.call(values, bindings)
        case .aggregate(let index): return aggregates[index]
        }
    }

    /// The value for a group, whose columns are those of its first row.
    static func value(
        _ selector: CompiledSelector, columns: [String: [UInt8]], _ bindings: Bindings, _ aggregates: [[UInt8]?]
    ) throws -> [UInt8]? {
        switch selector {
        case .column(let column): return columns[column.name]
        case .term(let expression): return try expression.evaluate(bindings).bytes
        case .call(let function, let arguments):
            var values: [[UInt8]?] = []
            for argument in arguments { values.append(try value(argument, columns: columns, bindings, aggregates)) }
            return try function.call(values, bindings)
        case .aggregate(let index): return aggregates[index]
        case .writeTime, .timeToLive: return nil
        }
    }

    static func bigint(_ value: Int64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> Int64(56 - $0 * 8)) }
    }

    static func int(_ value: Int32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> Int32(24 - $0 * 8)) }
    }
}
