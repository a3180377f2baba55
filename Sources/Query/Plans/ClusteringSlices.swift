package import CQL
import DataModel
import Primitives
package import Storage

/// From restrictions of clustering columns to ranges of byte-comparable keys.
extension Restrictions {
    /// The ranges of rows that are asked for: ascending, without overlap.
    package func slices(_ table: CompiledTable, _ bindings: borrowing Bindings) throws(CQLError) -> [ClusteringSlice] {
        var prefixes: [[UInt8]] = [[]]
        for (position, restriction) in clustering.enumerated() {
            let column = table.clustering[position]
            let values: [[UInt8]]
            switch restriction {
            case .equal(let expression): values = [try Restrictions.required(expression, bindings, named: column.name)]
            case .isIn(let membership): values = try membership.values(bindings, named: column.name)
            }
            try Restrictions.checkCombinations(prefixes.count, values.count)
            var extended: [[UInt8]] = []
            for prefix in prefixes {
                for value in values { extended.append(try Restrictions.appended(value, column, to: prefix)) }
            }
            prefixes = extended
        }
        if let tuples = clusteringTuples { prefixes = try extend(prefixes, by: tuples, table, bindings) }
        prefixes = Restrictions.ascending(prefixes)
        guard let range = clusteringRange else {
            let restricted: Int = clustering.count + (clusteringTuples?.columnCount ?? 0)
            let areRows: Bool = restricted == table.clustering.count
            return prefixes.map { areRows ? .row($0) : ClusteringSlice(start: $0, end: ClusteringBound.after($0)) }
        }
        var slices: [ClusteringSlice] = []
        for prefix in prefixes { slices += try ranges(range, below: prefix, table, bindings) }
        return slices
    }

    /// Appends one clustering column to a byte-comparable prefix.
    static func appended(
        _ value: [UInt8], _ column: CompiledColumn, to prefix: [UInt8]
    ) throws(CQLError) -> [UInt8] {
        try Expression.check(value, column.validator)
        guard value.count <= PartitionKey.maximumByteCount else {
            throw .invalid(
                message:
                    "The sum of all clustering columns is too long (\(value.count) > \(PartitionKey.maximumByteCount))")
        }
        var writer = ByteWriter(capacity: prefix.count + value.count + 16)
        writer.write(prefix)
        do throws(InvalidValue) {
            try ComparableEncoder.append(
                value.span.bytes, form: column.form, descending: column.definition.isDescending, to: &writer)
        } catch { throw .invalid(message: error.description) }
        return writer.array()
    }

    private static func ascending(_ keys: [[UInt8]]) -> [[UInt8]] {
        var unique: [[UInt8]] = []
        for key in keys.sorted(by: { ByteOrder.precedes($0, $1) }) where unique.last != key { unique.append(key) }
        return unique
    }

    private func extend(
        _ prefixes: [[UInt8]], by tuples: ClusteringTuples, _ table: CompiledTable, _ bindings: borrowing Bindings
    ) throws(CQLError) -> [[UInt8]] {
        let columns = table.clustering[tuples.position..<(tuples.position + tuples.columnCount)]
        var choices: [[[UInt8]]] = []
        for choice in tuples.choices {
            var values: [[UInt8]] = []
            for (expression, column) in zip(choice, columns) {
                values.append(try Restrictions.required(expression, bindings, named: column.name))
            }
            choices.append(values)
        }
        if let list = tuples.list {
            let bytes = try Restrictions.required(
                list, bindings, named: "in(\(columns.map(\.name).joined(separator: ",")))")
            for element in try Membership.elements(bytes) {
                choices.append(try Restrictions.fields(element, columns.map(\.name)))
            }
        }
        try Restrictions.checkCombinations(prefixes.count, choices.count)
        var extended: [[UInt8]] = []
        for prefix in prefixes {
            for choice in choices {
                var key = prefix
                for (value, column) in zip(choice, columns) { key = try Restrictions.appended(value, column, to: key) }
                extended.append(key)
            }
        }
        return extended
    }

    /// The fields of a bound tuple, all of which must be there.
    static func fields(_ tuple: [UInt8], _ names: [String]) throws(CQLError) -> [[UInt8]] {
        var reader = TupleReader(tuple.span.bytes)
        var values: [[UInt8]] = []
        do {
            for name in names {
                guard let field = try reader.next() else {
                    throw CQLError.invalid(message: "Invalid null value in condition for column \(name)")
                }
                values.append([UInt8](copying: field))
            }
        } catch let error as CQLError { throw error } catch {
            throw .invalid(message: "Not enough bytes to read a tuple")
        }
        return values
    }

    /// The rows below `prefix` between the two bounds.
    private func ranges(
        _ range: ClusteringRange, below prefix: [UInt8], _ table: CompiledTable, _ bindings: borrowing Bindings
    ) throws(CQLError) -> [ClusteringSlice] {
        var slices: [ClusteringSlice] = [ClusteringSlice(start: prefix, end: ClusteringBound.after(prefix))]
        if let lower = range.lower {
            slices = Restrictions.intersection(
                slices, try side(lower, isLower: true, range.position, prefix, table, bindings))
        }
        if let upper = range.upper {
            slices = Restrictions.intersection(
                slices, try side(upper, isLower: false, range.position, prefix, table, bindings))
        }
        return slices
    }

    /// The rows on one side of a bound. For `(a, b) > (x, y)` they are those with `a > x`, and those with `a = x` and
    /// `b > y`; with columns of different directions these lie apart in the order of rows.
    private func side(
        _ bound: RangeBound, isLower: Bool, _ position: Int, _ prefix: [UInt8], _ table: CompiledTable,
        _ bindings: borrowing Bindings
    ) throws(CQLError) -> [ClusteringSlice] {
        let columns: [CompiledColumn] = Array(
            table.clustering[position..<min(position + bound.values.count, table.clustering.count)])
        let values = try boundValues(bound, columns, bindings)
        var slices: [ClusteringSlice] = []
        var equal = prefix
        for (column, value) in zip(columns, values) {
            let next = try Restrictions.appended(value, column, to: equal)
            if isLower != column.definition.isDescending {
                slices.append(ClusteringSlice(start: ClusteringBound.after(next), end: ClusteringBound.after(equal)))
            } else {
                slices.append(ClusteringSlice(start: equal, end: next))
            }
            equal = next
        }
        if bound.isInclusive { slices.append(ClusteringSlice(start: equal, end: ClusteringBound.after(equal))) }
        return Restrictions.union(slices)
    }

    private func boundValues(
        _ bound: RangeBound, _ columns: [CompiledColumn], _ bindings: borrowing Bindings
    ) throws(CQLError) -> [[UInt8]] {
        var values: [[UInt8]] = []
        for (expression, column) in zip(bound.values, columns) {
            values.append(try Restrictions.required(expression, bindings, named: column.name))
        }
        return values
    }

    static func union(_ slices: [ClusteringSlice]) -> [ClusteringSlice] {
        var merged: [ClusteringSlice] = []
        for slice in slices.sorted(by: { ByteOrder.precedes($0.start, $1.start) })
        where ByteOrder.precedes(slice.start, slice.end) {
            if let last = merged.last, !ByteOrder.precedes(last.end, slice.start) {
                let end = ByteOrder.precedes(last.end, slice.end) ? slice.end : last.end
                merged[merged.count - 1] = ClusteringSlice(start: last.start, end: end)
            } else {
                merged.append(slice)
            }
        }
        return merged
    }

    static func intersection(_ left: [ClusteringSlice], _ right: [ClusteringSlice]) -> [ClusteringSlice] {
        var shared: [ClusteringSlice] = []
        for a in left {
            for b in right {
                let start = ByteOrder.precedes(a.start, b.start) ? b.start : a.start
                let end = ByteOrder.precedes(a.end, b.end) ? a.end : b.end
                if ByteOrder.precedes(start, end) { shared.append(ClusteringSlice(start: start, end: end)) }
            }
        }
        return shared
    }
}
