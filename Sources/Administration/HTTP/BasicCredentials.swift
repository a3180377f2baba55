/// A name and a password in a header (RFC 7617).
package enum BasicCredentials {
    private static let alphabet: [UInt8] = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    package static func header(_ credentials: AdminClient.Credentials) -> String {
        "Basic " + base64(Array("\(credentials.user):\(credentials.password)".utf8))
    }

    /// What a header says; nil when it is no such header.
    package static func parse(_ header: String) -> (user: String, password: String)? {
        guard header.lowercased().hasPrefix("basic ") else { return nil }
        let text: Substring = header.dropFirst(6).drop { $0 == " " }
        guard text.utf8.count <= 4_096, let bytes = bytes(ofBase64: text),
            let plain = String(validating: bytes, as: UTF8.self), let colon = plain.firstIndex(of: ":")
        else { return nil }
        return (String(plain[..<colon]), String(plain[plain.index(after: colon)...]))
    }

    static func base64(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var start = 0
        while start < bytes.count {
            let group: ArraySlice<UInt8> = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for place in 0..<3 { bits = bits << 8 | UInt32(place < group.count ? group[start + place] : 0) }
            for place in 0..<4 {
                text.append(
                    place <= group.count ? alphabet[Int(bits >> UInt32(18 - 6 * place) & 63)] : UInt8(ascii: "="))
            }
            start += 3
        }
        return String(decoding: text, as: UTF8.self)
    }

    static func bytes(ofBase64 text: Substring) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        var isPadded = false
        for byte in text.utf8 {
            if byte == UInt8(ascii: "=") {
                isPadded = true
                continue
            }
            guard !isPadded, let value = alphabet.firstIndex(of: byte) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }
}
