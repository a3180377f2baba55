package import CQL
package import DataModel
import Primitives

/// Functions that take a part out of a value: what `u.f`, `m[k]`, `s[v]` and `m[a..b]` call.
extension ScalarFunction {
    /// The field of a tuple or user-defined type.
    package static func field(_ index: Int, of type: CQLType, named name: String) -> ScalarFunction {
        let fieldType: CQLType
        switch type {
        case .tuple(let types) where index < types.count: fieldType = types[index]
        case .userDefined(let definition, _) where index < definition.fieldTypes.count:
            fieldType = definition.fieldTypes[index]
        default: fieldType = type
        }
        return ScalarFunction("field", [type], returns: fieldType) { arguments, _ throws(CQLError) in
            guard let bytes = arguments[0] else { return nil }
            do throws(DecodingError) {
                var reader = TupleReader(bytes.span.bytes)
                for _ in 0..<index { _ = try reader.next() }
                guard let field = try reader.next() else { return nil }
                return [UInt8](copying: field)
            } catch { throw .invalid(message: "Not enough bytes to read field \(name)") }
        }
    }

    /// The element of a map, set or list.
    package static func element(of type: CQLType, named name: String) throws(CQLError) -> ScalarFunction {
        switch type {
        case .map(let key, let value, _): return mapEntry(type, key, value, name)
        case .set(let element, _): return setElement(type, element, name)
        case .list(let element, _): return listElement(type, element)
        default:
            throw .invalid(
                message: "Invalid element selection: \(name) is of type \(type.cqlName) is not a collection")
        }
    }

    private static func mapEntry(
        _ type: CQLType, _ key: CQLType, _ value: CQLType, _ name: String
    ) -> ScalarFunction {
        let form = ComparableForm(key)
        return ScalarFunction("element", [type, key], returns: value) { arguments, _ throws(CQLError) in
            guard let wanted = arguments[1] else { throw nullKey("element", name) }
            guard let bytes = arguments[0] else { return nil }
            return try entries(bytes).first { form.order($0.key.span.bytes, wanted.span.bytes) == 0 }?.value
        }
    }

    private static func setElement(_ type: CQLType, _ element: CQLType, _ name: String) -> ScalarFunction {
        let form = ComparableForm(element)
        return ScalarFunction("element", [type, element], returns: element) { arguments, _ throws(CQLError) in
            guard let wanted = arguments[1] else { throw nullKey("element", name) }
            guard let bytes = arguments[0] else { return nil }
            return try Membership.elements(bytes).first { form.order($0.span.bytes, wanted.span.bytes) == 0 }
        }
    }

    private static func nullKey(_ part: String, _ name: String) -> CQLError {
        .invalid(message: "Invalid null value for \(part) selection on \(name)")
    }

    private static func listElement(_ type: CQLType, _ element: CQLType) -> ScalarFunction {
        ScalarFunction("element", [type, .int], returns: element) { arguments, _ throws(CQLError) in
            guard let bytes = arguments[0], let place = arguments[1], place.count == 4 else { return nil }
            let index = Int(place.reduce(Int32(0)) { $0 << 8 | Int32($1) })
            let elements = try Membership.elements(bytes)
            return elements.indices.contains(index) ? elements[index] : nil
        }
    }

    /// The part of a map or set between two keys, both included. A bound that is not there is given as null.
    package static func slice(
        of type: CQLType, named name: String, hasLower: Bool, hasUpper: Bool
    ) throws(CQLError) -> ScalarFunction {
        let isWrong = { @Sendable (arguments: [[UInt8]?]) -> Bool in
            hasLower && arguments[1] == nil || hasUpper && arguments[2] == nil
        }
        switch type {
        case .map(let key, _, _):
            let form = ComparableForm(key)
            return ScalarFunction("slice", [type, key, key], returns: type.frozen) { arguments, _ throws(CQLError) in
                if isWrong(arguments) { throw nullKey("slice", name) }
                guard let bytes = arguments[0] else { return nil }
                let kept = try entries(bytes).filter { isBetween($0.key, arguments[1], arguments[2], form) }
                return CollectionValue.map(kept, keyType: key)
            }
        case .set(let element, _):
            let form = ComparableForm(element)
            return ScalarFunction("slice", [type, element, element], returns: type.frozen) {
                arguments, _ throws(CQLError) in
                if isWrong(arguments) { throw nullKey("slice", name) }
                guard let bytes = arguments[0] else { return nil }
                let kept = try Membership.elements(bytes).filter { isBetween($0, arguments[1], arguments[2], form) }
                return CollectionValue.set(kept, of: element)
            }
        default:
            throw .invalid(
                message: "Slice selection is only allowed on sets and maps, but \(name) is of type \(type.cqlName)")
        }
    }

    static func isBetween(_ value: [UInt8], _ from: [UInt8]?, _ to: [UInt8]?, _ form: ComparableForm) -> Bool {
        if let from, form.order(value.span.bytes, from.span.bytes) < 0 { return false }
        if let to, form.order(value.span.bytes, to.span.bytes) > 0 { return false }
        return true
    }

    static func entries(_ bytes: [UInt8]) throws(CQLError) -> [(key: [UInt8], value: [UInt8])] {
        do throws(DecodingError) {
            var reader = try CollectionReader(bytes.span.bytes, isMap: true)
            var entries: [(key: [UInt8], value: [UInt8])] = []
            while let key = try reader.next() {
                let keyBytes = [UInt8](copying: key)
                guard let value = try reader.next() else { break }
                entries.append((keyBytes, [UInt8](copying: value)))
            }
            return entries
        } catch { throw .invalid(message: "Not enough bytes to read a map") }
    }

    /// A collection, tuple, vector or value of a user-defined type, made of its parts.
    package static func construction(of type: CQLType, partCount: Int) -> ScalarFunction {
        var types: [CQLType] = []
        for index in 0..<partCount {
            switch type {
            case .tuple, .userDefined: types.append(index < type.parts.count ? type.parts[index] : .blob)
            case .map: types.append(type.parts[index % 2])
            default: types.append(type.parts[0])
            }
        }
        return ScalarFunction("construct", types, returns: type.frozen) { arguments, _ throws(CQLError) in
            switch type {
            case .tuple, .userDefined: return CollectionValue.tuple(arguments)
            default: break
            }
            let values: [[UInt8]] = arguments.compactMap { $0 }
            guard values.count == arguments.count else {
                throw .invalid(message: "null is not supported inside collections")
            }
            switch type {
            case .set(let element, _): return CollectionValue.set(values, of: element)
            case .map(let key, _, _):
                let entries = stride(from: 0, to: values.count - 1, by: 2).map { (values[$0], values[$0 + 1]) }
                return CollectionValue.map(entries.map { (key: $0.0, value: $0.1) }, keyType: key)
            case .vector(let element, _):
                do throws(InvalidValue) {
                    return try CollectionValue.vector(values, of: element)
                } catch { throw .invalid(message: error.description) }
            default: return CollectionValue.list(values)
            }
        }
    }

    /// The token of a partition key.
    package static func token(of table: CompiledTable) -> ScalarFunction {
        ScalarFunction("system.token", table.partitionKey.map(\.type), returns: .bigint) {
            arguments, _ throws(CQLError) in
            var components: [[UInt8]] = []
            for argument in arguments {
                guard let argument else { return nil }
                components.append(argument)
            }
            let key = try Restrictions.partitionKey(components, table)
            return SelectorEvaluation.bigint(Token(ofKey: key.span.bytes).value)
        }
    }

    /// A whole row as one JSON object.
    package static func jsonRow(_ columns: [(name: String, type: CQLType)]) -> ScalarFunction {
        ScalarFunction("json", columns.map(\.type), returns: .text) { arguments, _ throws(CQLError) in
            var members: [String] = []
            for (column, value) in zip(columns, arguments) {
                let name: String = column.name.lowercased() == column.name ? column.name : "\"\(column.name)\""
                let text: String
                if let value { text = column.type.json(of: value.span.bytes) } else { text = "null" }
                members.append(JSONValue.quoted(name) + ": " + text)
            }
            return Array(("{" + members.joined(separator: ", ") + "}").utf8)
        }
    }
}
