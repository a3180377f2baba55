/// Integers, floats, blobs, UUIDs and durations: everything that starts with a digit, a minus sign or `P`.
extension Lexer {
    /// Reads a number, blob, UUID or duration; a digit is at the current offset, or a minus sign and then a digit.
    mutating func scanNumber() {
        let start = offset
        if let end = uuidEnd(at: start) { return append(.uuid, to: end) }
        if byte(at: start) == UInt8(ascii: "0"), byte(at: start + 1) | 0x20 == UInt8(ascii: "x") {
            var end = start + 2
            while Lexer.isHexadecimal(byte(at: end)) { end += 1 }
            return append(.blob, to: end)
        }
        let isNegative = byte(at: start) == UInt8(ascii: "-")
        if let end = unitsEnd(at: isNegative ? start + 1 : start) { return append(.duration, to: end) }
        var end = digitsEnd(at: isNegative ? start + 1 : start)
        var isFloat = false
        if byte(at: end) == UInt8(ascii: ".") {
            // In `1..2` the dots are a range; in `1...2` the first one belongs to the number.
            let isRange = byte(at: end + 1) == UInt8(ascii: ".") && byte(at: end + 2) != UInt8(ascii: ".")
            if !isRange {
                isFloat = true
                end = digitsEnd(at: end + 1)
            }
        }
        if let exponent = exponentEnd(at: end) {
            isFloat = true
            end = exponent
        }
        append(isFloat ? .float : .integer, to: end)
    }

    /// Where a UUID that starts at `start` ends; nil when there is none.
    func uuidEnd(at start: Int) -> Int? {
        // The first dash alone rules out nearly every other word and number.
        guard start + 36 <= bytes.count, bytes[start + 8] == UInt8(ascii: "-") else { return nil }
        for index in 0..<36 {
            let byte = bytes[start + index]
            switch index {
            case 8, 13, 18, 23: guard byte == UInt8(ascii: "-") else { return nil }
            default: guard Lexer.isHexadecimal(byte) else { return nil }
            }
        }
        return start + 36
    }

    /// Where an ISO 8601 duration whose `P` is at `start` ends; nil when there is none or a longer word.
    func periodEnd(at start: Int) -> Int? {
        let ends = [alternativePeriodEnd(at: start), designatedPeriodEnd(at: start)]
        guard let end = ends.compactMap({ $0 }).max(), !Lexer.isWordByte(byte(at: end)) else { return nil }
        return end
    }

    /// `P2026-01-31T23:59:59`.
    private func alternativePeriodEnd(at start: Int) -> Int? {
        let digit = UInt8(ascii: "0")
        var end = start
        for expected in "P0000-00-00T00:00:00".utf8 {
            let actual = byte(at: end)
            guard expected == digit ? Lexer.isDigit(actual) : actual == expected else { return nil }
            end += 1
        }
        return end
    }

    /// `P3W`, or any of years, months and days in this order, and after a `T` hours, minutes and seconds.
    private func designatedPeriodEnd(at start: Int) -> Int? {
        if let end = quantityEnd(at: start + 1, UInt8(ascii: "W")) { return end }
        var end = start + 1
        for designator in "YMD".utf8 { end = quantityEnd(at: end, designator) ?? end }
        if byte(at: end) == UInt8(ascii: "T") {
            var timeEnd = end + 1
            for designator in "HMS".utf8 { timeEnd = quantityEnd(at: timeEnd, designator) ?? timeEnd }
            if timeEnd > end + 1 { end = timeEnd }
        }
        return end > start + 1 ? end : nil
    }

    private func quantityEnd(at start: Int, _ designator: UInt8) -> Int? {
        let end = digitsEnd(at: start)
        return end > start && byte(at: end) == designator ? end + 1 : nil
    }

    /// Where a duration such as `1h30m` ends; nil when no unit follows the first digits.
    private func unitsEnd(at start: Int) -> Int? {
        var end: Int?
        var next = start
        while true {
            let unit = digitsEnd(at: next)
            guard unit > next, let after = unitEnd(at: unit) else { return end }
            end = after
            next = after
        }
    }

    private func unitEnd(at start: Int) -> Int? {
        let second = byte(at: start + 1) | 0x20
        switch byte(at: start) | 0x20 {
        case UInt8(ascii: "y"), UInt8(ascii: "w"), UInt8(ascii: "d"), UInt8(ascii: "h"), UInt8(ascii: "s"):
            return start + 1
        case UInt8(ascii: "m"):
            return second == UInt8(ascii: "o") || second == UInt8(ascii: "s") ? start + 2 : start + 1
        case UInt8(ascii: "u"), UInt8(ascii: "n"):
            return second == UInt8(ascii: "s") ? start + 2 : nil
        default:
            // The micro sign, U+00B5.
            guard byte(at: start) == 0xC2, byte(at: start + 1) == 0xB5 else { return nil }
            return byte(at: start + 2) | 0x20 == UInt8(ascii: "s") ? start + 3 : nil
        }
    }

    private func exponentEnd(at start: Int) -> Int? {
        guard byte(at: start) | 0x20 == UInt8(ascii: "e") else { return nil }
        let sign = byte(at: start + 1)
        let digits = sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") ? start + 2 : start + 1
        let end = digitsEnd(at: digits)
        return end > digits ? end : nil
    }

    private func digitsEnd(at start: Int) -> Int {
        var end = start
        while Lexer.isDigit(byte(at: end)) { end &+= 1 }
        return end
    }

    /// Whether exactly this lower-case word stands at `start`, in letters of any case.
    func spells(_ word: StaticString, at start: Int) -> Bool {
        var end = start
        for letter in word.description.utf8 {
            guard byte(at: end) | 0x20 == letter else { return false }
            end += 1
        }
        return !Lexer.isWordByte(byte(at: end))
    }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    @inline(__always)
    static func isLetter(_ byte: UInt8) -> Bool {
        byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
    }

    @inline(__always)
    static func isWordByte(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "_")
    }

    @inline(__always)
    static func isHexadecimal(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "f"))
    }

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || (byte >= 0x09 && byte <= 0x0A) || byte == 0x0D
    }
}
