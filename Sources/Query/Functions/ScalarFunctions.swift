package import CQL
package import DataModel
import Primitives

/// The built-in functions, found by name and by the types of what they are given.
package enum ScalarFunctions {
    /// - Parameters:
    ///   - arguments: nil for an argument whose type only the function can tell.
    ///   - receiver: the type that is wanted of the result; nil when any will do.
    package static func resolve(
        _ name: QualifiedName, arguments: [CQLType?], receiver: CQLType?
    ) throws(CQLError) -> ScalarFunction {
        guard name.keyspace == nil || name.keyspace == "system" else { throw unknown(name) }
        let candidates: [ScalarFunction] = self.candidates(name.name.lowercased(), receiver)
        guard !candidates.isEmpty else { throw unknown(name) }
        let fitting = candidates.filter { function in
            function.argumentTypes.count == arguments.count
                && zip(arguments, function.argumentTypes).allSatisfy { given, wanted in
                    given.map { isAssignable($0, to: wanted) } ?? true
                }
        }
        if let first = fitting.first { return first }
        let count: Int = candidates[0].argumentTypes.count
        if candidates.allSatisfy({ $0.argumentTypes.count != arguments.count }) {
            throw .invalid(
                message:
                    "Invalid number of arguments in call to function \(candidates[0].name): \(count) required "
                    + "but \(arguments.count) provided"
            )
        }
        throw .invalid(
            message: "Invalid call to function \(name.name), none of its type signatures match (known type signatures: "
                + candidates.map {
                    "\($0.name) : (" + $0.argumentTypes.map(\.cqlName).joined(separator: ", ") + ") -> "
                        + $0.returnType.cqlName
                }
                .joined(separator: ", ") + ")")
    }

    private static func unknown(_ name: QualifiedName) -> CQLError {
        .invalid(message: "Unknown function '\(name.keyspace.map { $0 + "." } ?? "")\(name.name)'")
    }

    /// Whether a value of one type may stand where another is wanted: the same, or the same bytes.
    package static func isAssignable(_ type: CQLType, to wanted: CQLType) -> Bool {
        if type.frozen == wanted.frozen { return true }
        switch (type, wanted) {
        case (.ascii, .text), (.timeuuid, .uuid), (.bigint, .counter), (.counter, .bigint): return true
        default: return false
        }
    }

    private static func candidates(_ name: String, _ receiver: CQLType?) -> [ScalarFunction] {
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
        case "to_json", "tojson", "from_json", "fromjson": return json(name, receiver)
        default: return blobConversion(name)
        }
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

    private static func json(_ name: String, _ receiver: CQLType?) -> [ScalarFunction] {
        if name.hasPrefix("from") {
            guard let receiver else { return [] }
            return [
                ScalarFunction("system.\(name)", [.text], returns: receiver) { arguments, _ throws(CQLError) in
                    guard let bytes = arguments[0] else { return nil }
                    do throws(InvalidValue) {
                        return try receiver.valueBytes(
                            ofJSON: JSONValue(parsing: String(decoding: bytes, as: UTF8.self)))
                    } catch { throw .invalid(message: error.description) }
                }
            ]
        }
        return []
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

enum BlobText {
    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
