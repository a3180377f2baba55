package import CQL
package import DataModel
import Primitives

/// `writetime`, `maxwritetime` or `ttl` of a column or of a part of its value.
///
/// The cells of a multi-cell column have times of their own; the parts of any other value have the time of its one cell.
package struct CellTimes: Sendable {
    /// A step from a value into it.
    package enum Step: Sendable {
        case field(Int)
        /// The whole that is stepped into, and where in it.
        case element(CompiledSelector, CQLType, key: CompiledSelector)
        case slice(CompiledSelector, CQLType, from: CompiledSelector, to: CompiledSelector)
    }

    private enum Times {
        case none
        case one(Int64?)
        case many([Int64?])
    }

    package let attribute: CellAttribute
    package let column: CompiledColumn
    package let steps: [Step]

    package func value(_ position: CurrentPosition, _ bindings: Bindings) throws -> [UInt8]? {
        var times: Times = try columnTimes(position, bindings)
        for step in steps { times = try taken(step, times, position, bindings) }
        switch times {
        case .none: return nil
        case .one(let time): return time.map(bytes)
        case .many(let times):
            if times.isEmpty { return nil }
            if attribute == .maxWriteTime { return times.compactMap { $0 }.max().map(bytes) }
            var writer = ByteWriter()
            writer.write(Int32(truncatingIfNeeded: times.count))
            for time in times {
                if let time { writer.writeElement(bytes(time).span.bytes) } else { writer.writeNullElement() }
            }
            return writer.array()
        }
    }

    private func bytes(_ time: Int64) -> [UInt8] {
        attribute == .timeToLive ? SelectorEvaluation.int(Int32(clamping: time)) : SelectorEvaluation.bigint(time)
    }

    private func columnTimes(_ position: CurrentPosition, _ bindings: Bindings) throws -> Times {
        guard column.isMultiCell else {
            let cell = position.cell(column)
            guard cell.hasValue else { return .none }
            return .one(time(timestamp: cell.timestamp, expires: cell.expires, bindings))
        }
        var times: [Int64?] = []
        var fieldCount = 0
        if case .userDefined(let definition, _) = column.type { fieldCount = definition.fieldNames.count }
        try position.visitCells(of: column, now: bindings.nowSeconds) { cell, field in
            // Fields that were never written stand in between without a time.
            while fieldCount > 0, times.count < field { times.append(nil) }
            times.append(time(timestamp: cell.timestamp, expires: cell.isExpiring ? cell.seconds : .max, bindings))
        }
        if times.isEmpty { return .none }
        while times.count < fieldCount { times.append(nil) }
        return .many(times)
    }

    private func time(timestamp: Int64, expires: Int64, _ bindings: Bindings) -> Int64? {
        guard attribute == .timeToLive else { return timestamp }
        return expires == .max ? nil : expires - bindings.nowSeconds
    }

    private func taken(_ step: Step, _ times: Times, _ position: CurrentPosition, _ bindings: Bindings) throws -> Times
    {
        switch step {
        case .field(let index):
            guard case .many(let all) = times else { return times }
            return all.indices.contains(index) ? .one(all[index]) : .none
        case .element(let whole, let type, let key):
            let wanted = try SelectorEvaluation.value(key, position, bindings, [])
            guard let range = try places(whole, type, wanted, wanted, position, bindings) else { return .none }
            guard case .many(let all) = times else { return times }
            return all.indices.contains(range.lowerBound) ? .one(all[range.lowerBound]) : .none
        case .slice(let whole, let type, let from, let to):
            let lower = try SelectorEvaluation.value(from, position, bindings, [])
            let upper = try SelectorEvaluation.value(to, position, bindings, [])
            guard let range = try places(whole, type, lower, upper, position, bindings) else { return .none }
            guard case .many(let all) = times else { return times }
            return .many(Array(all[range.clamped(to: 0..<all.count)]))
        }
    }

    /// Where the elements between two keys are among all; nil when there are none.
    private func places(
        _ whole: CompiledSelector, _ type: CQLType, _ from: [UInt8]?, _ to: [UInt8]?, _ position: CurrentPosition,
        _ bindings: Bindings
    ) throws -> Range<Int>? {
        guard let value = try SelectorEvaluation.value(whole, position, bindings, []), let keyType = type.parts.first
        else { return nil }
        let keys: [[UInt8]] =
            type.kind == .map ? try ScalarFunction.entries(value).map(\.key) : try Membership.elements(value)
        let form = ComparableForm(keyType)
        let inside: [Int] = keys.indices.filter { ScalarFunction.isBetween(keys[$0], from, to, form) }
        guard let first = inside.first, let last = inside.last else { return nil }
        return first..<(last + 1)
    }
}

extension CurrentPosition {
    /// Hands over the live cells of a multi-cell column in order, each with the field that it is of a user-defined type.
    func visitCells(of column: CompiledColumn, now: Int64, _ body: (Cell, Int) -> Void) throws(DecodingError) {
        let slots: RowSlots = column.kind == .static ? statics : regulars
        let bytes: UnsafeRawBufferPointer = slots.rowBytes
        guard bytes.count > 0 else { return }
        var reader = try RowReader(unsafe RawSpan(_unsafeBytes: bytes))
        while let cell = try reader.next() {
            guard cell.column == column.definition.id, cell.flags.contains(.path), cell.isLive(at: now) else {
                continue
            }
            let path = UnsafeRawBufferPointer(
                rebasing: bytes[cell.pathOffset..<(cell.pathOffset + cell.pathByteCount)])
            body(cell, path.count == 2 ? Int(path[0]) << 8 | Int(path[1]) : 0)
        }
    }
}
