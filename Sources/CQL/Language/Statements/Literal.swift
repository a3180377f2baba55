package import Primitives

/// A constant as written; numbers stay text because only the column's type says how to read them.
package enum Literal: Hashable, Sendable {
    /// The text between the quotes, with doubled quotes made single.
    case string(String)
    /// An optional minus sign and digits.
    case integer(String)
    /// A number with a fraction or an exponent.
    case float(String)
    case boolean(Bool)
    case uuid(UUID)
    /// The digits after `0x`, as written; there may be an odd number of them.
    case blob(hexadecimal: String)
    /// A duration in any of its spellings.
    case duration(String)
    /// Not a number; its sign means nothing and is dropped.
    case notANumber
    case infinity
    case negativeInfinity
    case null
}

extension Literal {
    /// The constant without quotes, as options of tables and roles read it.
    package var rawText: String {
        switch self {
        case .string(let text), .integer(let text), .float(let text), .duration(let text): text
        case .boolean(let value): value ? "true" : "false"
        case .uuid(let value): value.description
        case .blob(let digits): "0x" + digits
        case .notANumber: "NaN"
        case .infinity: "Infinity"
        case .negativeInfinity: "-Infinity"
        case .null: "null"
        }
    }

    /// The bytes of a blob; nil for another kind of constant and for an odd number of digits.
    package var blobBytes: [UInt8]? {
        guard case .blob(let digits) = self, digits.utf8.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.utf8.count / 2)
        var high: UInt8?
        for digit in digits.utf8 {
            guard let nibble = Literal.hexadecimalValue(digit) else { return nil }
            if let upper = high {
                bytes.append(upper << 4 | nibble)
                high = nil
            } else {
                high = nibble
            }
        }
        return bytes
    }

    private static func hexadecimalValue(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
