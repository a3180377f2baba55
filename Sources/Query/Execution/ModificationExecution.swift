package import CQL
package import DataModel
package import Primitives
import Storage

/// When a modification writes, and for how long.
package struct WriteTimes: Sendable {
    /// Microseconds since 1970.
    package let timestamp: Int64
    package let timeToLive: UInt32
    package let nowSeconds: Int64

    /// The longest time to live: 20 years, in seconds.
    package static let maximumTimeToLive: Int64 = 630_720_000

    package init(timestamp: Int64, timeToLive: UInt32, nowSeconds: Int64) {
        self.timestamp = timestamp
        self.timeToLive = timeToLive
        self.nowSeconds = nowSeconds
    }

    package init(
        _ plan: ModificationPlan, _ bindings: borrowing Bindings, defaultTimestamp: Int64
    ) throws(CQLError) {
        self.nowSeconds = bindings.nowSeconds
        if let expression = plan.timestamp, case let value = try expression.evaluate(bindings), value != .unset {
            guard let bytes = value.bytes else { throw .invalid(message: "Invalid null value of timestamp") }
            self.timestamp = try WriteTimes.timestamp(bytes)
        } else {
            self.timestamp = defaultTimestamp
        }
        if let expression = plan.timeToLive, case let value = try expression.evaluate(bindings), value != .unset {
            self.timeToLive = value.isNull ? 0 : try WriteTimes.timeToLive(value.bytes ?? [])
        } else {
            self.timeToLive = UInt32(clamping: plan.table.definition.options.defaultTimeToLive)
        }
    }

    package static func timestamp(_ bytes: [UInt8]) throws(CQLError) -> Int64 {
        var reader = ByteReader(bytes.span.bytes)
        do {
            let value = try reader.readInt64()
            guard value != .min else {
                throw CQLError.invalid(message: "Timestamp is out of range: \(value)")
            }
            return value
        } catch let error as CQLError { throw error } catch { throw .invalid(message: "Invalid timestamp value: null") }
    }

    package static func timeToLive(_ bytes: [UInt8]) throws(CQLError) -> UInt32 {
        if bytes.isEmpty { return 0 }
        var reader = ByteReader(bytes.span.bytes)
        do {
            return try timeToLive(Int64(try reader.readInt32()))
        } catch let error as CQLError { throw error } catch { throw .invalid(message: "Invalid TTL value") }
    }

    package static func timeToLive(_ value: Int64) throws(CQLError) -> UInt32 {
        guard value >= 0 else {
            throw .invalid(message: "A TTL must be greater or equal to 0, but was \(value)")
        }
        guard value <= maximumTimeToLive else {
            throw .invalid(message: "ttl is too large. requested (\(value)) maximum (\(maximumTimeToLive))")
        }
        return UInt32(truncatingIfNeeded: value)
    }

    package var expires: Int64 { timeToLive == 0 ? .max : nowSeconds + Int64(timeToLive) }
    package var marker: RowMarker { RowMarker(timestamp: timestamp, ttl: timeToLive, expiresSeconds: expires) }
    package var deletion: Deletion { Deletion(timestamp: timestamp, localSeconds: nowSeconds) }
}

/// What a row holds before it is changed, for changes that depend on it: for each column id the value it has, as cells.
package protocol CurrentRow {
    /// The live elements of a list, in order: where each is kept, and its value.
    func listElements(_ column: CompiledColumn) throws(CQLError) -> [(path: [UInt8], value: [UInt8])]
}

/// Carries a plan's changes into partition updates.
package struct ModificationExecution {
    package let plan: ModificationPlan
    package let bindings: Bindings
    package let times: WriteTimes
    /// Where new elements of lists are put; nil for the place that the clock says.
    package var listPlaces: TimeUUIDSource?

    package init(plan: ModificationPlan, bindings: Bindings, times: WriteTimes) {
        self.plan = plan
        self.bindings = bindings
        self.times = times
    }

    /// The full clustering keys that the statement names.
    package func clusteringKeys() throws(CQLError) -> [[UInt8]] {
        try plan.restrictions.slices(plan.table, bindings).map(\.start)
    }

    /// Adds what the statement does to one of its partitions. `current` is needed by plans that read before they write.
    package func apply(
        to update: inout PartitionUpdate, statics: (any CurrentRow)? = nil,
        row: (_ clustering: [UInt8]) throws(CQLError) -> (any CurrentRow)? = { _ throws(CQLError) in nil }
    ) throws(CQLError) {
        update.changeStatic(try cells(plan.staticChanges, statics), timestamp: times.timestamp)
        guard plan.namesRows else {
            if plan.kind == .delete, plan.staticChanges.isEmpty { try deletePartitionOrRange(&update) }
            return
        }
        for key in try clusteringKeys() {
            if plan.kind == .delete, plan.regularChanges.isEmpty {
                if plan.staticChanges.isEmpty {
                    update.changeRow(
                        clustering: key, marker: nil, deletion: times.deletion, [], timestamp: times.timestamp)
                }
                continue
            }
            let changed = try cells(plan.regularChanges, try row(key))
            update.changeRow(
                clustering: key, marker: plan.kind == .insert ? times.marker : nil, changed, timestamp: times.timestamp)
        }
    }

    private func deletePartitionOrRange(_ update: inout PartitionUpdate) throws(CQLError) {
        if !plan.restrictions.restrictsClustering { return update.delete(times.deletion) }
        for slice in try plan.restrictions.slices(plan.table, bindings) {
            update.deleteRange(start: slice.start, end: slice.end, times.deletion)
        }
    }

    // MARK: Cells

    private func cells(_ changes: [ColumnChange], _ current: (any CurrentRow)?) throws(CQLError) -> [PendingCell] {
        var cells: [PendingCell] = []
        for change in changes { try add(change, current, to: &cells) }
        return cells
    }

    private func live(_ column: CompiledColumn, path: [UInt8]? = nil, _ value: [UInt8]) -> PendingCell {
        PendingCell(
            column: column.definition.id, timestamp: times.timestamp, timeToLive: times.timeToLive,
            seconds: times.expires, path: path, value: value)
    }

    private func dead(_ column: CompiledColumn, path: [UInt8]? = nil) -> PendingCell {
        PendingCell(
            column: column.definition.id, timestamp: times.timestamp, seconds: times.nowSeconds, path: path, value: nil)
    }

    /// Deletes the elements that a column had before; new ones of the same statement stay.
    private func columnDeletion(_ column: CompiledColumn, before: Bool) -> PendingCell {
        PendingCell(
            column: column.definition.id, timestamp: before ? times.timestamp - 1 : times.timestamp,
            seconds: times.nowSeconds, value: nil, isColumnDeletion: true)
    }

    private func add(
        _ change: ColumnChange, _ current: (any CurrentRow)?, to cells: inout [PendingCell]
    ) throws(CQLError) {
        let column = change.column
        switch change.action {
        case .assign(let expression): try assign(expression, column, to: &cells)
        case .append(let expression): try insert(expression, column, atEnd: true, to: &cells)
        case .prepend(let expression): try insert(expression, column, atEnd: false, to: &cells)
        case .add(let expression):
            if let bytes = try present(expression) { try addElements(bytes, column, to: &cells) }
        case .remove(let expression): try remove(expression, column, current, to: &cells)
        case .assignElement(let key, let value): try assignElement(key, value, column, current, to: &cells)
        case .assignField(let index, let value):
            let path = ModificationExecution.fieldPath(index)
            switch try value.evaluate(bindings) {
            case .unset: break
            case .null: cells.append(dead(column, path: path))
            case .bytes(let bytes): cells.append(live(column, path: path, bytes))
            }
        case .deleteElement(let key): try deleteElement(key, column, current, to: &cells)
        case .deleteField(let index): cells.append(dead(column, path: ModificationExecution.fieldPath(index)))
        case .delete:
            cells.append(column.isMultiCell ? columnDeletion(column, before: false) : dead(column))
        case .count(let expression, let isNegative):
            try count(expression, isNegative: isNegative, column, to: &cells)
        }
    }

    /// The bytes of a value; nil when it is unset.
    private func present(_ expression: Expression) throws(CQLError) -> [UInt8]? {
        switch try expression.evaluate(bindings) {
        case .unset, .null: nil
        case .bytes(let bytes): bytes
        }
    }

    private func assign(
        _ expression: Expression, _ column: CompiledColumn, to cells: inout [PendingCell]
    ) throws(CQLError) {
        let value = try expression.evaluate(bindings)
        if value == .unset { return }
        guard column.isMultiCell else {
            if let bytes = value.bytes { cells.append(live(column, bytes)) } else { cells.append(dead(column)) }
            return
        }
        cells.append(columnDeletion(column, before: value.bytes != nil))
        guard let bytes = value.bytes else { return }
        if case .list = column.type {
            try insertElements(bytes, column, atEnd: true, to: &cells)
        } else {
            try addElements(bytes, column, to: &cells)
        }
    }

    private func insert(
        _ expression: Expression, _ column: CompiledColumn, atEnd: Bool, to cells: inout [PendingCell]
    ) throws(CQLError) {
        if let bytes = try present(expression) { try insertElements(bytes, column, atEnd: atEnd, to: &cells) }
    }

    private func insertElements(
        _ bytes: [UInt8], _ column: CompiledColumn, atEnd: Bool, to cells: inout [PendingCell]
    ) throws(CQLError) {
        guard let source = listPlaces ?? bindings.timeUUIDs else { return }
        let place = ListPlace(source.next(), atEnd: atEnd)
        for (index, element) in try Membership.elements(bytes).enumerated() {
            cells.append(live(column, path: place.path(index), element))
        }
    }

    /// Adds the elements of a set, the entries of a map, or the fields of a user-defined type.
    private func addElements(
        _ bytes: [UInt8], _ column: CompiledColumn, to cells: inout [PendingCell]
    ) throws(CQLError) {
        do throws(DecodingError) {
            switch column.type {
            case .set:
                var reader = try CollectionReader(bytes.span.bytes)
                while let element = try reader.next() {
                    cells.append(live(column, path: try path(element, column), []))
                }
            case .map:
                var reader = try CollectionReader(bytes.span.bytes, isMap: true)
                while let key = try reader.next() {
                    let keyPath = try path(key, column)
                    guard let value = try reader.next() else { break }
                    cells.append(live(column, path: keyPath, [UInt8](copying: value)))
                }
            case .userDefined(let type, _):
                var reader = TupleReader(bytes.span.bytes)
                for index in type.fieldNames.indices {
                    if let field = try reader.next() {
                        cells.append(
                            live(column, path: ModificationExecution.fieldPath(index), [UInt8](copying: field)))
                    }
                }
            default: break
            }
        } catch {
            throw .invalid(message: "Invalid value for column \(column.name)")
        }
    }

    private func path(_ element: RawSpan, _ column: CompiledColumn) throws(DecodingError) -> [UInt8] {
        var writer = ByteWriter(capacity: element.byteCount + 16)
        do throws(InvalidValue) {
            try ComparableEncoder.append(element, form: column.elementForm, descending: false, to: &writer)
        } catch { throw .invalid(offset: 0, what: "an element of a collection") }
        return writer.array()
    }

    package static func fieldPath(_ index: Int) -> [UInt8] {
        [UInt8(truncatingIfNeeded: index >> 8), UInt8(truncatingIfNeeded: index)]
    }

    private func remove(
        _ expression: Expression, _ column: CompiledColumn, _ current: (any CurrentRow)?, to cells: inout [PendingCell]
    ) throws(CQLError) {
        guard let bytes = try present(expression) else { return }
        let elements = try Membership.elements(bytes)
        if case .list = column.type {
            let unwanted: Set<[UInt8]> = Set(elements)
            for element in try current?.listElements(column) ?? [] where unwanted.contains(element.value) {
                cells.append(dead(column, path: element.path))
            }
            return
        }
        for element in elements {
            do throws(DecodingError) {
                cells.append(dead(column, path: try path(element.span.bytes, column)))
            } catch { throw .invalid(message: "Invalid value for column \(column.name)") }
        }
    }

    private func assignElement(
        _ key: Expression, _ value: Expression, _ column: CompiledColumn, _ current: (any CurrentRow)?,
        to cells: inout [PendingCell]
    ) throws(CQLError) {
        let place: [UInt8] = try elementPath(key, column, current, isDeletion: false)
        switch try value.evaluate(bindings) {
        case .unset: break
        case .null: cells.append(dead(column, path: place))
        case .bytes(let bytes): cells.append(live(column, path: place, bytes))
        }
    }

    private func deleteElement(
        _ key: Expression, _ column: CompiledColumn, _ current: (any CurrentRow)?, to cells: inout [PendingCell]
    ) throws(CQLError) {
        cells.append(dead(column, path: try elementPath(key, column, current, isDeletion: true)))
    }

    private func elementPath(
        _ key: Expression, _ column: CompiledColumn, _ current: (any CurrentRow)?, isDeletion: Bool
    ) throws(CQLError) -> [UInt8] {
        let evaluated = try key.evaluate(bindings)
        guard case .list = column.type else {
            guard let bytes = evaluated.bytes else {
                throw .invalid(message: evaluated == .unset ? "Invalid unset map key" : "Invalid null map key")
            }
            do throws(DecodingError) {
                return try path(bytes.span.bytes, column)
            } catch { throw .invalid(message: "Invalid map key for column \(column.name)") }
        }
        guard let bytes = evaluated.bytes, bytes.count == 4 else {
            throw .invalid(
                message: evaluated == .unset
                    ? "Invalid unset value for list index" : "Invalid null value for list index")
        }
        let index = bytes.reduce(Int32(0)) { $0 << 8 | Int32($1) }
        let elements = try current?.listElements(column) ?? []
        if elements.isEmpty {
            throw .invalid(
                message: isDeletion
                    ? "Attempted to delete an element from a list which is null"
                    : "Attempted to set an element on a list which is null")
        }
        guard index >= 0, Int(index) < elements.count else {
            throw .invalid(message: "List index \(index) out of bound, list has size \(elements.count)")
        }
        return elements[Int(index)].path
    }

    /// By how much a counter counts: what that comes to is known to the replica that leads the write.
    private func count(
        _ expression: Expression, isNegative: Bool, _ column: CompiledColumn, to cells: inout [PendingCell]
    ) throws(CQLError) {
        let value = try expression.evaluate(bindings)
        if value == .unset { return }
        guard let bytes = value.bytes, bytes.count == 8 else {
            throw .invalid(message: "Invalid null value for counter increment")
        }
        let amount = bytes.reduce(Int64(0)) { $0 << 8 | Int64($1) }
        if isNegative, amount == .min {
            throw .invalid(
                message: "The negation of \(amount) overflows supported counter precision (signed 8 bytes integer)")
        }
        cells.append(
            PendingCell(
                column: column.definition.id, timestamp: times.timestamp,
                value: SelectorEvaluation.bigint(isNegative ? -amount : amount), isCounter: true))
    }
}

/// Where new elements of a list go: paths that sort after (or before) all that came earlier.
package struct ListPlace: Sendable {
    private let high: UInt64
    private let low: UInt64

    package init(_ identifier: UUID, atEnd: Bool) {
        let time: UInt64 = identifier.timestamp
        self.high = atEnd ? (1 << 63) | time : (1 << 63) - 1 - time
        self.low = identifier.low & 0xFF_FFFF_FFFF
    }

    package func path(_ index: Int) -> [UInt8] {
        let second: UInt64 = UInt64(truncatingIfNeeded: index) << 40 | low
        return (0..<8).map { UInt8(truncatingIfNeeded: high >> UInt64(56 - $0 * 8)) }
            + (0..<8).map { UInt8(truncatingIfNeeded: second >> UInt64(56 - $0 * 8)) }
    }
}
