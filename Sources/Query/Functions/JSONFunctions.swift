import CQL
import DataModel
import Primitives

/// `to_json` and `from_json`, also in their older spellings.
enum JSONFunctions {
    static func function(
        _ name: String, _ arguments: [FunctionArgument], _ receiver: CQLType?
    ) throws(CQLError) -> ScalarFunction {
        let isReading: Bool = name.hasPrefix("from")
        guard arguments.count == 1 else {
            throw .invalid(
                message: "Invalid number of arguments for function system.\(name)(\(isReading ? "text" : "any"))")
        }
        if isReading {
            guard let receiver else {
                throw .invalid(message: "\(name)() cannot be used in the selection clause of a SELECT statement")
            }
            return reading("system.\(name)", receiver)
        }
        guard let type = arguments[0].likelyType else {
            throw .invalid(
                message: "Cannot infer type of argument \(arguments[0].text) in call to function system.\(name)(any): "
                    + "use type casts to disambiguate")
        }
        return ScalarFunction("system.\(name)", [type.frozen], returns: .text) { arguments, _ throws(CQLError) in
            guard let bytes = arguments[0], !bytes.isEmpty || !type.isEmptyMeaningless else {
                return Array("null".utf8)
            }
            return Array(type.json(of: bytes.span.bytes).utf8)
        }
    }

    private static func reading(_ name: String, _ type: CQLType) -> ScalarFunction {
        ScalarFunction(name, [.text], returns: type.frozen) { arguments, _ throws(CQLError) in
            guard let bytes = arguments[0] else { return nil }
            let text = String(decoding: bytes, as: UTF8.self)
            let document: JSONValue
            do throws(InvalidValue) {
                document = try JSONValue(parsing: text)
            } catch {
                throw .functionFailure(
                    name, [.text], "Could not decode JSON string '\(text.prefix(256))': \(error.description)")
            }
            do throws(InvalidValue) {
                return try type.valueBytes(ofJSON: document)
            } catch { throw .functionFailure(name, [.text], error.description) }
        }
    }
}

extension CQLType {
    /// Whether a value without bytes means nothing, so that functions take it for null.
    var isEmptyMeaningless: Bool {
        switch kind {
        case .ascii, .text, .blob, .custom: false
        default: true
        }
    }
}
