package import DataModel
import Primitives

/// From values to the fields of a file and back, as the options of a COPY want it.
package struct CopyValues: Sendable {
    private let options: CopyOptions
    private let painter: ValuePainter

    package init(_ options: CopyOptions) {
        var painter = ValuePainter(isColored: false)
        painter.isExact = true
        painter.floatPrecision = options.floatPrecision
        painter.doublePrecision = options.doublePrecision
        painter.trueText = options.trueText
        painter.falseText = options.falseText
        painter.timeFormat = options.timeFormat ?? TimeFormat("%Y-%m-%d %H:%M:%S.%f%z")
        self.options = options
        self.painter = painter
    }

    // MARK: To a file

    package func field(of bytes: [UInt8]?, type: CQLType) -> String {
        guard let bytes, !bytes.isEmpty || type.kind == .text || type.kind == .ascii || type.kind == .blob else {
            return options.null
        }
        let text: String = painter.text(of: bytes.span.bytes, type: type).plain
        return CopyValues.isNumber(type) ? withSeparators(text) : text
    }

    private static func isNumber(_ type: CQLType) -> Bool {
        switch type {
        case .tinyint, .smallint, .int, .bigint, .varint, .counter, .float, .double, .decimal: true
        default: false
        }
    }

    private func withSeparators(_ text: String) -> String {
        if options.thousandsSeparator.isEmpty, options.decimalSeparator == "." { return text }
        let sign: Substring = text.prefix { $0 == "-" }
        let whole: Substring = text.dropFirst(sign.count).prefix { $0.isNumber }
        let rest: Substring = text.dropFirst(sign.count + whole.count)
        var grouped = ""
        for (index, digit) in whole.enumerated() {
            if index > 0, (whole.count - index) % 3 == 0 { grouped += options.thousandsSeparator }
            grouped.append(digit)
        }
        return sign + grouped + (rest.hasPrefix(".") ? options.decimalSeparator + rest.dropFirst() : String(rest))
    }

    // MARK: From a file

    /// Why a field is no value of its column.
    package struct Fault: Error, Equatable {
        package let message: String
    }

    /// The bytes of a value; nil for null.
    package func value(of field: String, type: CQLType) throws(Fault) -> [UInt8]? {
        if field == options.null { return nil }
        do {
            switch type {
            case .text, .ascii: return try type.valueBytes(ofText: field)
            // An empty field can be no value of other types, whatever stands for null.
            default: return field.isEmpty ? nil : try value(of: CopyValues.unquoted(field), type, depth: 0)
            }
        } catch let error as Fault {
            throw error
        } catch {
            throw Fault(message: "Failed to parse \(field) : \((error as? InvalidValue)?.message ?? "\(error)")")
        }
    }

    private func value(of text: String, _ type: CQLType, depth: Int) throws -> [UInt8] {
        guard depth < 64 else { throw Fault(message: "Failed to parse \(text.prefix(40)) : nested too deep") }
        func part(_ text: Substring, _ type: CQLType) throws -> [UInt8] {
            try value(of: CopyValues.unquoted(text), type, depth: depth + 1)
        }
        func partOrNull(_ text: Substring, _ type: CQLType) throws -> [UInt8]? {
            let bare: Substring = CopyValues.trimmed(text)
            if bare.isEmpty || bare.lowercased() == "null" || bare == options.null { return nil }
            return try part(bare, type)
        }
        switch type {
        case .list(let element, _):
            return CollectionValue.list(try CopyValues.parts(text).map { try part($0, element) })
        case .set(let element, _):
            return CollectionValue.set(try CopyValues.parts(text).map { try part($0, element) }, of: element)
        case .map(let key, let element, _):
            let entries: [(key: [UInt8], value: [UInt8])] = try CopyValues.entries(text).map { entry in
                (key: try part(entry.key, key), value: try part(entry.value, element))
            }
            return CollectionValue.map(entries, keyType: key)
        case .tuple(let types):
            let texts: [Substring] = try CopyValues.parts(text)
            guard texts.count <= types.count else { throw Fault(message: "Failed to parse \(text) : too many fields") }
            return CollectionValue.tuple(try zip(texts, types).map { try partOrNull($0, $1) })
        case .userDefined(let definition, _):
            var fields = [[UInt8]?](repeating: nil, count: definition.fieldNames.count)
            for entry in try CopyValues.entries(text) {
                let name: String = CopyValues.unquoted(entry.key)
                guard let index = definition.fieldNames.firstIndex(of: name) else {
                    throw Fault(message: "Failed to parse \(text) : there is no field \(name)")
                }
                fields[index] = try partOrNull(entry.value, definition.fieldTypes[index])
            }
            return CollectionValue.tuple(fields)
        case .vector(let element, let dimension):
            let elements: [[UInt8]] = try CopyValues.parts(text).map { try part($0, element) }
            guard elements.count == dimension else {
                throw Fault(
                    message: "The length of given vector value '\(elements.count)' is not equal to the vector size "
                        + "from the type definition '\(dimension)'")
            }
            return try CollectionValue.vector(elements, of: element)
        default: return try scalar(text, type)
        }
    }

    private func scalar(_ text: String, _ type: CQLType) throws -> [UInt8] {
        switch type {
        case .boolean: return [text.lowercased() == options.trueText.lowercased() ? 1 : 0]
        case .timestamp:
            if let format = options.timeFormat, let milliseconds = format.milliseconds(text) {
                return withUnsafeBytes(of: milliseconds.bigEndian) { [UInt8]($0) }
            }
            return try type.valueBytes(ofText: text)
        case _ where CopyValues.isNumber(type):
            var plain: String = text
            if !options.thousandsSeparator.isEmpty {
                plain = CopyValues.replacing(options.thousandsSeparator, in: plain, with: "")
            }
            if options.decimalSeparator != "." {
                plain = CopyValues.replacing(options.decimalSeparator, in: plain, with: ".")
            }
            return try type.valueBytes(ofText: plain)
        default: return try type.valueBytes(ofText: text)
        }
    }

    private static func replacing(_ old: String, in text: String, with new: String) -> String {
        guard !old.isEmpty else { return text }
        return text.split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
    }

    // MARK: Nested text

    private static func trimmed(_ text: some StringProtocol) -> Substring {
        var text = Substring(text)
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return text
    }

    /// The text without blanks around it, and without single quotes.
    private static func unquoted(_ text: some StringProtocol) -> String {
        let bare: Substring = trimmed(text)
        guard bare.count > 1, bare.first == "'", bare.last == "'" else { return String(bare) }
        return replacing("''", in: String(bare.dropFirst().dropLast()), with: "'")
    }

    /// The parts of a text between brackets.
    private static func parts(_ text: String) throws -> [Substring] {
        let bare: Substring = trimmed(text)
        let pairs: [Character: Character] = ["[": "]", "{": "}", "(": ")"]
        guard bare.count > 1, let open = bare.first, bare.last == pairs[open] else {
            throw Fault(
                message: "Invalid composite string, it should start and end with matching parentheses: \(text)")
        }
        let inner: Substring = bare.dropFirst().dropLast()
        return trimmed(inner).isEmpty ? [] : split(inner, at: ",")
    }

    private static func entries(_ text: String) throws -> [(key: Substring, value: Substring)] {
        try parts(text).map { entry in
            let sides: [Substring] = split(entry, at: ":")
            guard sides.count > 1, let first = sides.first else {
                throw Fault(message: "Failed to parse \(text) : '\(entry)' is no entry of a map")
            }
            return (key: first, value: entry[first.endIndex...].dropFirst())
        }
    }

    /// Cuts at a separator that is outside of quotes and brackets.
    private static func split(_ text: Substring, at separator: Character) -> [Substring] {
        var parts: [Substring] = []
        var (start, depth, isQuoted): (Substring.Index, Int, Bool) = (text.startIndex, 0, false)
        for index in text.indices {
            let character: Character = text[index]
            if character == "'" { isQuoted.toggle() }
            if isQuoted { continue }
            switch character {
            case "[", "{", "(": depth += 1
            case "]", "}", ")": depth -= 1
            case separator where depth == 0:
                parts.append(text[start..<index])
                start = text.index(after: index)
            default: break
            }
        }
        parts.append(text[start...])
        return parts
    }
}
