import CQL
import DataModel
import Primitives

/// Evaluates what a selection asks for besides plain columns.
enum SelectorEvaluation {
    /// The most bytes that the arguments of one call may have: a literal may name a large column many thousand times.
    private static let maximumByteCount = 64 << 20

    /// The value for the row that `position` stands on; `aggregates` are the results of finished aggregates.
    static func value(
        _ selector: CompiledSelector, _ position: CurrentPosition, _ bindings: Bindings, _ aggregates: [[UInt8]?]
    ) throws -> [UInt8]? {
        switch selector {
        case .column(let column): return try position.array(column)
        case .cellTimes(let times): return try times.value(position, bindings)
        case .term(let expression): return try expression.evaluate(bindings).bytes
        case .call(let function, let arguments):
            var values: [[UInt8]?] = []
            var byteCount = 0
            for argument in arguments {
                let part: [UInt8]? = try value(argument, position, bindings, aggregates)
                byteCount += part?.count ?? 0
                guard byteCount <= maximumByteCount else {
                    throw CQLError.invalid(
                        message: "The arguments of \(function.name) are larger than \(maximumByteCount) bytes")
                }
                values.append(part)
            }
            return try function.call(values, bindings)
        case .aggregate(let index): return aggregates[index]
        }
    }

    /// The expression with the values of one row in the place of its columns, so that only aggregates are left open.
    static func fixed(
        _ selector: CompiledSelector, _ position: CurrentPosition, _ bindings: Bindings
    ) throws -> CompiledSelector {
        switch selector {
        case .column, .cellTimes: return .term(.constant(try value(selector, position, bindings, [])))
        case .term, .aggregate: return selector
        case .call(let function, let arguments):
            var fixedArguments: [CompiledSelector] = []
            for argument in arguments { fixedArguments.append(try fixed(argument, position, bindings)) }
            return .call(function, fixedArguments)
        }
    }

    /// The value of an expression for a group; columns that are left in it are null.
    static func value(
        _ selector: CompiledSelector, _ bindings: Bindings, aggregates: [[UInt8]?]
    ) throws -> [UInt8]? {
        switch selector {
        case .column, .cellTimes: return nil
        case .term(let expression): return try expression.evaluate(bindings).bytes
        case .call(let function, let arguments):
            var values: [[UInt8]?] = []
            for argument in arguments { values.append(try value(argument, bindings, aggregates: aggregates)) }
            return try function.call(values, bindings)
        case .aggregate(let index): return aggregates[index]
        }
    }

    static func bigint(_ value: Int64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> Int64(56 - $0 * 8)) }
    }

    static func int(_ value: Int32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> Int32(24 - $0 * 8)) }
    }
}
