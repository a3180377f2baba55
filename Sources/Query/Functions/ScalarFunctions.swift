package import CQL
package import DataModel
import Primitives

/// The built-in functions, found by name and by what they are given.
package enum ScalarFunctions {
    /// Where a function is called: error texts differ.
    package enum Place: Sendable { case selection, term }

    /// - Parameter receiver: the type that is wanted of the result; nil when any will do.
    package static func resolve(
        _ name: QualifiedName, _ arguments: [FunctionArgument], receiver: CQLType?, in place: Place
    ) throws(CQLError) -> ScalarFunction {
        guard name.keyspace == nil || name.keyspace == "system" else { throw unknown(name, place) }
        let candidates: [ScalarFunction] = try self.candidates(name.name, arguments, receiver)
        guard let first = candidates.first else { throw unknown(name, place) }
        if candidates.count == 1 {
            try check(first, arguments)
            return first
        }
        let (exact, compatible) = matches(candidates, arguments, receiver)
        if let exact { return exact }
        guard let found = compatible.first else {
            throw .invalid(
                message: "Invalid call to function \(name.name), none of its type signatures match (known type "
                    + "signatures: \(signatures(candidates)))")
        }
        guard compatible.count == 1 else {
            throw .invalid(
                message: "Ambiguous call to function \(name.name) (can be matched by following signatures: "
                    + "\(signatures(compatible))): use type casts to disambiguate")
        }
        return found
    }

    /// The candidate that is wanted exactly, or all those that would do.
    static func matches(
        _ candidates: [ScalarFunction], _ arguments: [FunctionArgument], _ receiver: CQLType?
    ) -> (exact: ScalarFunction?, compatible: [ScalarFunction]) {
        var compatible: [ScalarFunction] = []
        for candidate in candidates where candidate.argumentTypes.count == arguments.count {
            if let receiver, !isAssignable(candidate.returnType, to: receiver) { continue }
            let fits = zip(arguments, candidate.argumentTypes).map { $0.fit(to: $1) }
            switch fits.min() ?? .exact {
            case .exact: return (candidate, [])
            case .weak: compatible.append(candidate)
            case .none: break
            }
        }
        return (nil, compatible)
    }

    /// The only function of its name says exactly what does not fit.
    private static func check(_ function: ScalarFunction, _ arguments: [FunctionArgument]) throws(CQLError) {
        let types: [CQLType] = function.argumentTypes
        guard types.count == arguments.count else {
            throw .invalid(
                message: "Invalid number of arguments in call to function \(function.name): \(types.count) required "
                    + "but \(arguments.count) provided")
        }
        for (index, argument) in arguments.enumerated() where argument.fit(to: types[index]) == .none {
            throw .invalid(
                message: "Type error: \(argument.text) cannot be passed as argument \(index) of function "
                    + "\(function.name) of type \(types[index].cqlName)")
        }
    }

    private static func signatures(_ functions: [ScalarFunction]) -> String {
        functions.map { function in
            let types: String = function.argumentTypes.map(\.cqlName).joined(separator: ", ")
            return "\(function.name) : (\(types)) -> \(function.returnType.cqlName)"
        }
        .joined(separator: ", ")
    }

    private static func unknown(_ name: QualifiedName, _ place: Place) -> CQLError {
        let shown: String = "\(name.keyspace.map { $0 + "." } ?? "")\(name.name)"
        return .invalid(
            message: place == .selection ? "Unknown function '\(shown)'" : "Unknown function \(shown) called")
    }

    /// Whether a value of one type may stand where another is wanted: the same, or one whose bytes mean the same there.
    package static func isAssignable(_ type: CQLType, to wanted: CQLType) -> Bool {
        if type.frozen == wanted.frozen { return true }
        switch (type, wanted) {
        case (_, .blob), (.ascii, .text), (.timeuuid, .uuid), (.bigint, .counter), (.counter, .bigint),
            (.timestamp, .bigint), (.bigint, .timestamp), (.bigint, .time), (.int, .date), (.int, .varint),
            (.bigint, .varint), (.timestamp, .varint):
            return true
        default: return false
        }
    }

    private static func candidates(
        _ name: String, _ arguments: [FunctionArgument], _ receiver: CQLType?
    ) throws(CQLError) -> [ScalarFunction] {
        switch name {
        case "uuid": return [identifier("system.uuid", .uuid)]
        case "now", "current_timeuuid", "currenttimeuuid": return [identifier("system.\(name)", .timeuuid)]
        case "current_timestamp", "currenttimestamp":
            return [moment("system.\(name)", .timestamp) { SelectorEvaluation.bigint($0 / 1000) }]
        case "current_date", "currentdate":
            return [moment("system.\(name)", .date) { TimeConversion.date(milliseconds: $0 / 1000) }]
        case "current_time", "currenttime":
            return [
                moment("system.\(name)", .time) {
                    SelectorEvaluation.bigint(TimeConversion.floorModulo($0, 86_400_000_000) * 1000)
                }
            ]
        case "min_timeuuid", "mintimeuuid": return [TimeConversion.bound("system.\(name)", isUpper: false)]
        case "max_timeuuid", "maxtimeuuid": return [TimeConversion.bound("system.\(name)", isUpper: true)]
        case "to_date", "todate": return TimeConversion.toDate("system.\(name)")
        case "to_timestamp", "totimestamp": return TimeConversion.toTimestamp("system.\(name)")
        case "to_unix_timestamp", "tounixtimestamp": return TimeConversion.toUnixTimestamp("system.\(name)")
        case "floor": return FloorFunctions.all
        case "abs", "exp", "log", "log10", "round": return MathFunctions.functions(name)
        case "to_json", "tojson", "from_json", "fromjson":
            return [try JSONFunctions.function(name, arguments, receiver)]
        default: break
        }
        if let function = try CollectionFunctions.function(name, arguments, receiver) { return [function] }
        if let function = try MaskingFunctions.function(name, arguments, receiver) { return [function] }
        if let function = try VectorFunctions.function(name, arguments, receiver) { return [function] }
        let casts: [ScalarFunction] = Casts.functions(name)
        return casts.isEmpty ? blobConversion(name) : casts
    }

    private static func identifier(_ name: String, _ type: CQLType) -> ScalarFunction {
        ScalarFunction(name, [], returns: type) { _, bindings throws(CQLError) in
            guard let source = bindings.timeUUIDs else { return nil }
            return type == .timeuuid ? source.next().bytes : source.random().bytes
        }
    }

    private static func moment(
        _ name: String, _ type: CQLType, _ convert: @escaping @Sendable (Int64) -> [UInt8]
    ) -> ScalarFunction {
        ScalarFunction(name, [], returns: type) { _, bindings throws(CQLError) in convert(bindings.nowMicroseconds) }
    }

    /// `<type>_as_blob` and `blob_as_<type>`, also in their older spellings `<type>asblob` and `blobas<type>`.
    private static func blobConversion(_ name: String) -> [ScalarFunction] {
        for spelling in ["_as_", "as"] {
            if name.hasPrefix("blob" + spelling),
                let type = CQLType.scalar(named: String(name.dropFirst(4 + spelling.count)))
            {
                let validator = ValueValidator(type)
                return [
                    ScalarFunction("system.\(name)", [.blob], returns: type) { arguments, _ throws(CQLError) in
                        guard let bytes = arguments[0] else { return nil }
                        do throws(InvalidValue) { try validator.check(bytes.span.bytes) } catch {
                            throw .invalid(
                                message:
                                    "In call to function system.\(name), value 0x\(BlobText.hexadecimal(bytes)) is not a valid "
                                    + "binary representation for type \(type.cqlName)"
                            )
                        }
                        return bytes
                    }
                ]
            }
            if name.hasSuffix(spelling + "blob"),
                let type = CQLType.scalar(named: String(name.dropLast(4 + spelling.count)))
            {
                return [
                    ScalarFunction("system.\(name)", [type], returns: .blob) { arguments, _ throws(CQLError) in
                        arguments[0]
                    }
                ]
            }
        }
        return []
    }
}

extension CQLError {
    /// What a function answers that cannot do what it was asked.
    static func functionFailure(_ name: String, _ types: [CQLType], _ detail: String) -> CQLError {
        let texts: [String] = types.map(\.cqlName)
        let short = String(name.drop { $0 != "." }.dropFirst())
        return .functionFailure(
            message: "execution of '\(name)[\(texts.joined(separator: ", "))]' failed: \(detail)", keyspace: "system",
            function: short, argumentTypes: texts)
    }
}

enum BlobText {
    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
