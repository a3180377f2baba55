import CQL
import DataModel
import Primitives

/// Functions of whole collections: `map_keys`, `map_values`, `collection_count`, `_min`, `_max`, `_sum` and `_avg`.
enum CollectionFunctions {
    private enum Wanted: String {
        case map
        case collection
        case setOrList = "set or list"
        case numbers = "numeric set/list"

        func suits(_ type: CQLType) -> Bool {
            switch (self, type) {
            case (.map, .map), (.collection, .list), (.collection, .set), (.collection, .map), (.setOrList, .list),
                (.setOrList, .set):
                true
            case (.numbers, .list(let element, _)), (.numbers, .set(let element, _)): Number.types.contains(element)
            default: false
            }
        }

        /// As in the list of the function's parameters.
        var parameter: String {
            switch self {
            case .map, .collection: rawValue
            case .setOrList, .numbers: "numeric_set_or_list"
            }
        }
    }

    private static let wanted: [String: Wanted] = [
        "map_keys": .map, "map_values": .map, "collection_count": .collection, "collection_min": .setOrList,
        "collection_max": .setOrList, "collection_sum": .numbers, "collection_avg": .numbers,
    ]

    /// Nil for another name.
    static func function(
        _ name: String, _ arguments: [FunctionArgument], _ receiver: CQLType?
    ) throws(CQLError) -> ScalarFunction? {
        guard let wanted = wanted[name] else { return nil }
        let shown = "system.\(name)(\(wanted.parameter))"
        guard arguments.count == 1, let argument = arguments.first else {
            throw .invalid(message: "Invalid number of arguments for function \(shown)")
        }
        guard let type = argument.likelyType?.frozen else {
            throw .invalid(
                message:
                    "Cannot infer type of argument \(argument.text) in call to function \(shown): use type casts to "
                    + "disambiguate")
        }
        guard wanted.suits(type) else {
            throw .invalid(
                message: "Function system.\(name) requires a \(wanted.rawValue) argument, but found argument "
                    + "\(argument.text) of type \(type.cqlName)")
        }
        switch type {
        case .map(let key, let value, _) where wanted == .map: return mapPart(name, type, key, value)
        case .map where name == "collection_count": return count(name, type)
        case .list, .set: return name == "collection_count" ? count(name, type) : try fold(name, type, type.parts[0])
        default: return nil
        }
    }

    private static func mapPart(_ name: String, _ type: CQLType, _ key: CQLType, _ value: CQLType) -> ScalarFunction {
        let isKeys: Bool = name == "map_keys"
        let result: CQLType = isKeys ? .set(key, isMultiCell: false) : .list(value, isMultiCell: false)
        return ScalarFunction("system.\(name)", [type], returns: result) { arguments, _ throws(CQLError) in
            guard let bytes = arguments[0] else { return nil }
            let entries = try ScalarFunction.entries(bytes)
            return CollectionValue.list(isKeys ? entries.map(\.key) : entries.map(\.value))
        }
    }

    private static func count(_ name: String, _ type: CQLType) -> ScalarFunction {
        ScalarFunction("system.\(name)", [type], returns: .int) { arguments, _ throws(CQLError) in
            guard let bytes = arguments[0] else { return nil }
            return bytes.count >= 4 ? Array(bytes[..<4]) : SelectorEvaluation.int(0)
        }
    }

    /// The aggregate of the same name over the elements.
    private static func fold(_ name: String, _ type: CQLType, _ element: CQLType) throws(CQLError) -> ScalarFunction {
        let aggregate = try AggregateFunctions.resolve(
            QualifiedName(name: String(name.dropFirst("collection_".count))), argument: element, shown: name)
        return ScalarFunction("system.\(name)", [type], returns: aggregate.returnType) {
            arguments, _ throws(CQLError) in
            guard let bytes = arguments[0] else { return nil }
            let state = aggregate.makeState()
            for value in try Membership.elements(bytes) { try state.add(value) }
            return try state.result()
        }
    }
}
