package import CQL
package import DataModel
import Primitives

/// The values of an IN: listed one by one, or bound as a whole list.
package enum Membership: Sendable {
    case expressions([Expression])
    /// A list of values; its elements are checked one by one.
    case list(Expression, element: CQLType)

    package func values(_ bindings: borrowing Bindings, named name: String) throws(CQLError) -> [[UInt8]] {
        switch self {
        case .expressions(let expressions):
            var values: [[UInt8]] = []
            for expression in expressions {
                values.append(try Restrictions.required(expression, bindings, named: name))
            }
            return values
        case .list(let expression, _):
            switch try expression.evaluate(bindings) {
            case .null: throw .invalid(message: "Invalid null value for IN restriction")
            case .unset: throw .invalid(message: "Invalid unset value for column \(name)")
            case .bytes(let bytes): return try Membership.elements(bytes)
            }
        }
    }

    static func elements(_ bytes: [UInt8]) throws(CQLError) -> [[UInt8]] {
        do throws(DecodingError) {
            var reader = try CollectionReader(bytes.span.bytes)
            var values: [[UInt8]] = []
            while let element = try reader.next() { values.append([UInt8](copying: element)) }
            return values
        } catch { throw .invalid(message: "Not enough bytes to read a list") }
    }
}

/// What a WHERE clause says of one column of the primary key.
package enum KeyRestriction: Sendable {
    case equal(Expression)
    case isIn(Membership)
}

/// One end of a range of clustering keys, or of tokens.
package struct RangeBound: Sendable {
    /// One value for each column of the range, from its first.
    package var values: [Expression]
    package var isInclusive: Bool
}

/// The last, open part of a clustering restriction: a range over one column, or over several compared as one.
package struct ClusteringRange: Sendable {
    /// The position of the range's first column.
    package var position: Int
    package var lower: RangeBound?
    package var upper: RangeBound?
}

/// Several clustering columns, given as one of several tuples.
package struct ClusteringTuples: Sendable {
    package var position: Int
    package var columnCount: Int
    package var choices: [[Expression]]
    /// A bound list of tuples, instead of `choices`.
    package var list: Expression?
}

/// What a WHERE clause asks for, sorted by who answers it: the ring, the order of rows, or a filter.
package struct Restrictions: Sendable {
    /// One for each column of the partition key, when all are restricted so that partitions can be named.
    package var partitionKey: [KeyRestriction] = []
    package var tokenLower: RangeBound?
    package var tokenUpper: RangeBound?
    /// For a prefix of the clustering columns, each restricted to values.
    package var clustering: [KeyRestriction] = []
    package var clusteringTuples: ClusteringTuples?
    package var clusteringRange: ClusteringRange?
    /// What neither keys nor order can answer.
    package var filters: [Filter] = []

    package init() {}

    package var namesPartitions: Bool { !partitionKey.isEmpty }
    package var hasTokenRange: Bool { tokenLower != nil || tokenUpper != nil }
    package var restrictsClustering: Bool {
        !clustering.isEmpty || clusteringTuples != nil || clusteringRange != nil
    }

    /// Whether at most one partition is named.
    package var namesOnePartition: Bool {
        namesPartitions
            && partitionKey.allSatisfy {
                if case .equal = $0 { return true }
                return false
            }
    }

    /// The value of an expression that must have one.
    package static func required(
        _ expression: Expression, _ bindings: borrowing Bindings, named name: String
    ) throws(CQLError) -> [UInt8] {
        switch try expression.evaluate(bindings) {
        case .bytes(let bytes): return bytes
        case .null: throw .invalid(message: "Invalid null value in condition for column \(name)")
        case .unset: throw .invalid(message: "Invalid unset value for column \(name)")
        }
    }
}

extension Restrictions {
    /// The keys of the partitions that are named, in the order of their columns' types and without repetition.
    package func partitionKeys(_ table: CompiledTable, _ bindings: borrowing Bindings) throws(CQLError) -> [[UInt8]] {
        var choices: [[[UInt8]]] = []
        for (index, restriction) in partitionKey.enumerated() {
            let column = table.partitionKey[index]
            switch restriction {
            case .equal(let expression):
                choices.append([try Restrictions.required(expression, bindings, named: column.name)])
            case .isIn(let membership):
                let values = try membership.values(bindings, named: column.name)
                for value in values { try Expression.check(value, column.validator) }
                choices.append(Restrictions.sortedUnique(values, column.form))
            }
        }
        var keys: [[[UInt8]]] = [[]]
        for values in choices {
            try Restrictions.checkCombinations(keys.count, values.count)
            keys = keys.flatMap { prefix in values.map { prefix + [$0] } }
        }
        var encoded: [[UInt8]] = []
        for key in keys { encoded.append(try Restrictions.partitionKey(key, table)) }
        return encoded
    }

    /// Combinations of IN values that one statement may have.
    static let combinationLimit = 100_000

    static func checkCombinations(_ prefixes: Int, _ values: Int) throws(CQLError) {
        guard prefixes * values <= combinationLimit else {
            throw .invalid(
                message: "The IN restrictions have \(prefixes * values) combinations of values; at most "
                    + "\(combinationLimit) are allowed")
        }
    }

    /// Joins the columns of a partition key.
    package static func partitionKey(_ components: [[UInt8]], _ table: CompiledTable) throws(CQLError) -> [UInt8] {
        var writer = ByteWriter()
        for (component, column) in zip(components, table.partitionKey) {
            guard component.count <= PartitionKey.maximumByteCount else {
                throw .invalid(
                    message:
                        "Key length of \(component.count) is longer than maximum of \(PartitionKey.maximumByteCount)")
            }
            if components.count == 1 {
                guard !component.isEmpty else { throw .invalid(message: "Key may not be empty") }
                writer.write(component)
            } else {
                _ = column
                PartitionKey.appendComponent(component.span.bytes, to: &writer)
            }
        }
        guard writer.count <= PartitionKey.maximumByteCount else {
            throw .invalid(
                message: "Key length of \(writer.count) is longer than maximum of \(PartitionKey.maximumByteCount)")
        }
        return writer.array()
    }

    static func sortedUnique(_ values: [[UInt8]], _ form: ComparableForm) -> [[UInt8]] {
        let sorted = values.sorted { form.order($0.span.bytes, $1.span.bytes) < 0 }
        var unique: [[UInt8]] = []
        for value in sorted where unique.last != value { unique.append(value) }
        return unique
    }

    /// The smallest and largest token that a token range admits; nil when it admits none.
    package func tokenRange(_ bindings: borrowing Bindings) throws(CQLError) -> (first: Int64, last: Int64)? {
        var first = Int64.min
        var last = Int64.max
        if let lower = tokenLower {
            let value = try Restrictions.token(lower, bindings)
            if lower.isInclusive { first = value } else if value == .max { return nil } else { first = value + 1 }
        }
        if let upper = tokenUpper {
            let value = try Restrictions.token(upper, bindings)
            // The smallest token, as an end, means the end of the ring: that is how drivers write the last range.
            if value != .min {
                last = upper.isInclusive ? value : value - 1
            } else if upper.isInclusive, tokenLower != nil {
                last = .max
            }
        }
        return first <= last ? (first, last) : nil
    }

    private static func token(_ bound: RangeBound, _ bindings: borrowing Bindings) throws(CQLError) -> Int64 {
        let bytes = try required(bound.values[0], bindings, named: "token")
        var reader = ByteReader(bytes.span.bytes)
        do throws(DecodingError) {
            return try reader.readInt64()
        } catch { throw .invalid(message: "Invalid token value") }
    }
}
