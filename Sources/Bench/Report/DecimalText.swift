/// Numbers with a fixed count of decimal places.
package enum DecimalText {
    package static func of(_ value: Double, places: Int) -> String {
        guard value.isFinite, abs(value) < 1e12 else { return "0" }
        var scale: Double = 1
        for _ in 0..<max(0, places) { scale *= 10 }
        let scaled = Int64((abs(value) * scale).rounded())
        let sign: String = value < 0 && scaled > 0 ? "-" : ""
        let whole: Int64 = scaled / Int64(scale)
        guard places > 0 else { return "\(sign)\(whole)" }
        let digits = String(scaled % Int64(scale))
        return "\(sign)\(whole).\(String(repeating: "0", count: max(0, places - digits.count)))\(digits)"
    }
}

/// Strings as JSON has them (RFC 8259, section 7).
enum JSONText {
    static func string(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            default:
                if scalar.value < 0x20 {
                    let digits = String(scalar.value, radix: 16)
                    quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    quoted.unicodeScalars.append(scalar)
                }
            }
        }
        return quoted + "\""
    }
}
