package import DataModel
import Primitives

/// From the bytes of a value to what the shell shows of it.
///
/// It follows cqlsh: numbers and dates green, text yellow, brackets blue, blobs dark, null red; `float` with 5 digits,
/// `double` with 12; text inside of collections between quotes; control characters escaped.
package struct ValuePainter: Sendable {
    package var isColored: Bool
    package var floatPrecision = 5
    package var doublePrecision = 12
    package var trueText = "True"
    package var falseText = "False"
    /// How timestamps are written; nil for ISO dates with six digits behind the seconds.
    package var timeFormat: TimeFormat?
    /// Whether what is shown is to be read again: no character is shown as an escape, and dates inside of collections
    /// stand between quotes.
    package var isExact = false

    package init(isColored: Bool) {
        self.isColored = isColored
    }

    /// - Parameter isNested: whether the value stands inside of another one.
    package func text(of bytes: RawSpan?, type: CQLType, isNested: Bool = false) -> StyledText {
        guard let bytes else { return null }
        if bytes.byteCount == 0, !ValuePainter.hasEmptyValue(type) { return null }
        switch type {
        case .text, .ascii: return string(String(decoding: [UInt8](copying: bytes), as: UTF8.self), isQuoted: isNested)
        case .blob, .custom: return painted("0x" + bytes.hexadecimal, .darkMagenta)
        case .list, .set, .map, .tuple, .userDefined, .vector:
            return (try? parts(of: bytes, type)) ?? painted("0x" + bytes.hexadecimal, .darkMagenta)
        default:
            guard let plain = scalar(bytes, type) else { return painted("0x" + bytes.hexadecimal, .darkMagenta) }
            let isTime: Bool = isExact && (type == .date || type == .time)
            let isQuoted: Bool = isNested && (type == .inet || type == .timestamp || isTime)
            return painted(isQuoted ? "'\(plain)'" : plain, .green)
        }
    }

    /// The name of a column over its values.
    package func name(_ name: String, color: TextColor = .magenta) -> StyledText {
        StyledText(escaped(name, isQuoted: false), color: isColored ? color : nil)
    }

    package var null: StyledText { painted("null", .red) }

    /// A text that is no value, such as the activity of a trace.
    package func string(_ text: String, isQuoted: Bool = false) -> StyledText {
        let shown: String = escaped(text, isQuoted: isQuoted)
        guard isColored else { return StyledText(shown, color: nil) }
        // With colours an escape is told from the text by its colour, so that backslashes need no doubling.
        let marks: String = TextColor.darkMagenta.rawValue
        var styled: String = TextColor.yellow.rawValue
        var width = 0
        var rest = Substring(shown)
        while let first = rest.first {
            guard first == "\\" else {
                styled.append(first)
                width += DisplayWidth.of(first)
                rest = rest.dropFirst()
                continue
            }
            let isBackslash: Bool = rest.dropFirst().first == "\\"
            let length: Int = rest.hasPrefix("\\x") ? 4 : rest.hasPrefix("\\u") ? 6 : 2
            let escape: Substring = rest.prefix(length)
            styled += isBackslash ? "\\" : marks + escape + TextColor.yellow.rawValue
            width += isBackslash ? 1 : escape.count
            rest = rest.dropFirst(length)
        }
        return StyledText(plain: shown, styled: styled + TextColor.reset, width: width)
    }

    package func number(_ number: Int64) -> StyledText {
        painted(String(number), .green)
    }

    private func painted(_ text: String, _ color: TextColor) -> StyledText {
        StyledText(text, color: isColored ? color : nil)
    }

    private static func hasEmptyValue(_ type: CQLType) -> Bool {
        switch type.kind {
        case .text, .ascii, .blob, .custom, .tuple, .userDefined: true
        default: false
        }
    }

    private func scalar(_ bytes: RawSpan, _ type: CQLType) -> String? {
        guard (try? ValueValidator(type).check(bytes)) != nil else { return nil }
        switch type.kind {
        case .boolean: return bytes.hexadecimal == "00" ? falseText : trueText
        case .float:
            let bits = UInt32(truncatingIfNeeded: ValuePainter.load(bytes))
            return FloatText.text(Double(Float(bitPattern: bits)), precision: floatPrecision)
        case .double:
            return FloatText.text(Double(bitPattern: ValuePainter.load(bytes)), precision: doublePrecision)
        case .timestamp:
            let milliseconds = Int64(bitPattern: ValuePainter.load(bytes))
            return timeFormat?.text(milliseconds: milliseconds) ?? ClockText.timestamp(milliseconds: milliseconds)
        case .inet: return AddressText.text([UInt8](copying: bytes))
        default: return type.plainText(of: bytes)
        }
    }

    /// The bytes, at most eight, as one big-endian number.
    private static func load(_ bytes: RawSpan) -> UInt64 {
        [UInt8](copying: bytes).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    // MARK: Parts

    private func parts(of bytes: RawSpan, _ type: CQLType) throws -> StyledText {
        switch type {
        case .list(let element, _): return joined("[", try elements(of: bytes, element), "]")
        case .set(let element, _): return joined("{", try elements(of: bytes, element), "}")
        case .map(let key, let value, _):
            var reader = try CollectionReader(bytes, isMap: true)
            var entries: [StyledText] = []
            while let keyBytes = try reader.next(), let valueBytes = try reader.next() {
                let left: StyledText = text(of: keyBytes, type: key, isNested: true)
                entries.append(pair(left, text(of: valueBytes, type: value, isNested: true)))
            }
            return joined("{", entries, "}")
        case .tuple(let fields):
            var reader = TupleReader(bytes)
            var shown: [StyledText] = []
            for field in fields { shown.append(text(of: try reader.next(), type: field, isNested: true)) }
            return joined("(", shown, ")")
        case .userDefined(let definition, _):
            var reader = TupleReader(bytes)
            var shown: [StyledText] = []
            for (name, field) in zip(definition.fieldNames, definition.fieldTypes) {
                shown.append(pair(string(name), text(of: try reader.next(), type: field, isNested: true)))
            }
            return joined("{", shown, "}")
        case .vector(let element, let dimension):
            var reader = VectorReader(
                bytes, elementByteCount: element.vectorElementByteCount ?? 0, dimension: dimension)
            var shown: [StyledText] = []
            while let part = try reader.next() { shown.append(text(of: part, type: element, isNested: true)) }
            return joined("[", shown, "]")
        default: return null
        }
    }

    private func elements(of bytes: RawSpan, _ type: CQLType) throws -> [StyledText] {
        var reader = try CollectionReader(bytes)
        var shown: [StyledText] = []
        while let part = try reader.next() { shown.append(text(of: part, type: type, isNested: true)) }
        return shown
    }

    private func pair(_ left: StyledText, _ right: StyledText) -> StyledText {
        let colon: StyledText = painted(": ", .blue)
        return StyledText(
            plain: left.plain + ": " + right.plain, styled: left.styled + colon.styled + right.styled,
            width: left.width + 2 + right.width)
    }

    private func joined(_ opening: String, _ parts: [StyledText], _ closing: String) -> StyledText {
        let comma: String = painted(", ", .blue).styled
        let plain: String = parts.map(\.plain).joined(separator: ", ")
        let styled: String = parts.map(\.styled).joined(separator: comma)
        let width: Int = parts.reduce(2 + 2 * max(0, parts.count - 1)) { $0 + $1.width }
        return StyledText(
            plain: opening + plain + closing,
            styled: painted(opening, .blue).styled + styled + painted(closing, .blue).styled, width: width)
    }

    /// The text with backslashes doubled and control characters as escapes.
    private func escaped(_ text: String, isQuoted: Bool) -> String {
        if isExact {
            return isQuoted
                ? "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
                : text
        }
        let isPlain: Bool = text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F && $0 != 0x5C && $0 != 0x27 }
        if isPlain { return isQuoted ? "'\(text)'" : text }
        var shown = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": shown += "\\\\"
            case "'" where isQuoted: shown += "''"
            case "\n": shown += "\\n"
            case "\r": shown += "\\r"
            case "\t": shown += "\\t"
            case "\u{00}"..."\u{1F}", "\u{7F}"..."\u{A0}":
                let digits = String(scalar.value, radix: 16)
                shown += "\\x" + (digits.count < 2 ? "0" : "") + digits
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return isQuoted ? "'\(shown)'" : shown
    }
}

/// Internet addresses in their shortest form (RFC 5952).
enum AddressText {
    static func text(_ bytes: [UInt8]) -> String {
        guard bytes.count == 16 else { return bytes.map { String($0) }.joined(separator: ".") }
        let groups: [UInt16] = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        var longest: Range<Int> = 0..<0
        var start = 0
        while start < groups.count {
            var end: Int = start
            while end < groups.count, groups[end] == 0 { end += 1 }
            if end - start > longest.count, end - start > 1 { longest = start..<end }
            start = max(end, start + 1)
        }
        func words(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        if longest.isEmpty { return words(groups[...]) }
        return words(groups[..<longest.lowerBound]) + "::" + words(groups[longest.upperBound...])
    }
}
