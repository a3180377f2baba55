import CQL
import DataModel
import Primitives

/// Functions that show values as if they were masked: `mask_null`, `mask_default`, `mask_replace`, `mask_inner`,
/// `mask_outer` and `mask_hash`.
enum MaskingFunctions {
    /// Nil for another name.
    static func function(
        _ name: String, _ arguments: [FunctionArgument], _ receiver: CQLType?
    ) throws(CQLError) -> ScalarFunction? {
        let call = Call(name: name, arguments: arguments, receiver: receiver)
        switch name {
        case "mask_null":
            let type: CQLType = try call.types("any", 1...1)[0]
            return ScalarFunction("system.\(name)", [type], returns: type) { _, _ throws(CQLError) in nil }
        case "mask_default":
            let type: CQLType = try call.types("any", 1...1)[0]
            let value: [UInt8] = try masked(type)
            return ScalarFunction("system.\(name)", [type], returns: type) { _, _ throws(CQLError) in value }
        case "mask_replace":
            let type: CQLType = try call.types("any, any", 2...2)[0]
            return ScalarFunction("system.\(name)", [type, type], returns: type) { arguments, _ throws(CQLError) in
                arguments[1]
            }
        case "mask_inner", "mask_outer": return try partial(call)
        case "mask_hash": return try hash(call)
        default: return nil
        }
    }

    /// A call and how its faults are worded.
    private struct Call {
        let name: String
        let arguments: [FunctionArgument]
        let receiver: CQLType?

        /// The type of the first argument, checked with the number of arguments.
        func types(_ parameters: String, _ counts: ClosedRange<Int>) throws(CQLError) -> [CQLType] {
            guard counts.contains(arguments.count) else {
                throw .invalid(message: "Invalid number of arguments for function system.\(name)(\(parameters))")
            }
            let inferred: CQLType? = name == "mask_replace" ? receiver ?? arguments[1].likelyType : nil
            guard let type = arguments[0].likelyType ?? inferred else {
                throw .invalid(
                    message: "Cannot infer type of argument \(arguments[0].text) in call to function "
                        + "system.\(name)(\(parameters)): use type casts to disambiguate")
            }
            return [type.frozen]
        }

        func require(_ index: Int, _ types: [CQLType], _ shown: String) throws(CQLError) {
            guard index < arguments.count, types.allSatisfy({ arguments[index].fit(to: $0) == .none }) else { return }
            throw .invalid(
                message: "Function system.\(name) requires an argument of type \(shown), but found argument "
                    + "\(arguments[index].text) of type \(arguments[index].likelyType?.cqlName ?? "unknown")")
        }
    }

    // MARK: Fixed values

    /// What `mask_default` shows for every value of a type.
    private static func masked(_ type: CQLType) throws(CQLError) -> [UInt8] {
        switch type {
        case .ascii, .text: return Array("****".utf8)
        case .blob, .custom: return []
        case .boolean, .tinyint: return [0]
        case .smallint: return [0, 0]
        case .int, .float, .inet: return [0, 0, 0, 0]
        case .bigint, .counter, .double, .time, .timestamp: return [UInt8](repeating: 0, count: 8)
        case .date: return [0x80, 0, 0, 0]
        case .decimal: return [0, 0, 0, 0, 0]
        case .varint: return [0]
        case .duration: return [0, 0, 0]
        case .uuid: return [UInt8](repeating: 0, count: 16)
        case .timeuuid:
            return try TimeConversion.bound("", isUpper: false)
                .call([[UInt8](repeating: 0, count: 8)], Bindings(values: [], nowMicroseconds: 0, timeUUIDs: nil)) ?? []
        case .list, .set, .map: return [0, 0, 0, 0]
        case .tuple(let fields): return CollectionValue.tuple(try maskedAll(fields))
        case .userDefined(let definition, _): return CollectionValue.tuple(try maskedAll(definition.fieldTypes))
        case .vector(let element, let dimension):
            let value: [UInt8] = try masked(element)
            do throws(InvalidValue) {
                return try CollectionValue.vector(Array(repeating: value, count: dimension), of: element)
            } catch { throw .invalid(message: error.description) }
        }
    }

    private static func maskedAll(_ types: [CQLType]) throws(CQLError) -> [[UInt8]?] {
        var values: [[UInt8]?] = []
        for type in types { values.append(try masked(type)) }
        return values
    }

    // MARK: Texts

    /// `mask_inner` leaves so many characters at both ends, `mask_outer` leaves the others.
    private static func partial(_ call: Call) throws(CQLError) -> ScalarFunction {
        let parameters = "[text|varchar|ascii], int, int, [text]"
        let type: CQLType = try call.types(parameters, 3...4)[0]
        try call.require(0, [.text, .ascii], "[text|varchar|ascii]")
        try call.require(1, [.int], "int")
        try call.require(2, [.int], "int")
        try call.require(3, [.text], "text")
        let name = "system.\(call.name)"
        let masksInner: Bool = call.name == "mask_inner"
        let types: [CQLType] = [type, .int, .int] + (call.arguments.count == 4 ? [CQLType.text] : [])
        return ScalarFunction(name, types, returns: type) { arguments, _ throws(CQLError) in
            guard let bytes = arguments[0] else { return nil }
            let begin = Number.integer(arguments[1] ?? [])
            let end = Number.integer(arguments[2] ?? [])
            let padding: UInt16 = try self.padding(arguments.count == 4 ? arguments[3] : nil, name)
            var units: [UInt16] = Array(String(decoding: bytes, as: UTF8.self).utf16)
            let last: Int64 = Int64(units.count) - 1 - end
            for index in units.indices {
                let isInner: Bool = Int64(index) >= begin && Int64(index) <= last
                if isInner == masksInner { units[index] = padding }
            }
            return Array(String(decoding: units, as: UTF16.self).utf8)
        }
    }

    private static func padding(_ bytes: [UInt8]?, _ name: String) throws(CQLError) -> UInt16 {
        guard let bytes else { return UInt16(UInt8(ascii: "*")) }
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.utf16.count == 1, let unit = text.utf16.first else {
            throw .invalid(
                message: "The padding argument for function \(name) should be single-character, but '\(text)' has "
                    + "\(text.utf16.count) characters.")
        }
        return unit
    }

    // MARK: Digests

    private static func hash(_ call: Call) throws(CQLError) -> ScalarFunction {
        let type: CQLType = try call.types("any, [text]", 1...2)[0]
        try call.require(1, [.text], "text")
        let types: [CQLType] = [type] + (call.arguments.count == 2 ? [CQLType.text] : [])
        return ScalarFunction("system.mask_hash", types, returns: .blob) { arguments, _ throws(CQLError) in
            var algorithm = "SHA-256"
            if arguments.count == 2, let name = arguments[1] { algorithm = String(decoding: name, as: UTF8.self) }
            guard let digest = digests[algorithm.uppercased()] else {
                throw .invalid(message: "Hash algorithm not found: \(algorithm)")
            }
            return arguments[0].map(digest)
        }
    }

    private static let digests: [String: @Sendable ([UInt8]) -> [UInt8]] = [
        "MD5": { MD5.digest($0) }, "SHA-1": { SHA1.digest($0) }, "SHA1": { SHA1.digest($0) },
        "SHA": { SHA1.digest($0) }, "SHA-224": { SHA2.digest224($0) }, "SHA-256": { SHA2.digest256($0) },
        "SHA-384": { SHA2.digest384($0) }, "SHA-512": { SHA2.digest512($0) },
    ]
}
