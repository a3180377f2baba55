/// The text of `inet` values: 4 or 16 bytes.
package enum InternetAddressText {
    /// Reads dotted or colon notation; nil for anything else. Names are not looked up.
    ///
    /// An IPv4 address inside IPv6 (`::ffff:1.2.3.4`) becomes the four bytes that it means, as in Java.
    package static func bytes(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= 64 else { return nil }
        guard text.utf8.contains(UInt8(ascii: ":")) else { return dotted(Substring(text).utf8) }
        guard let bytes = colons(text) else { return nil }
        return isMapped(bytes) ? Array(bytes[12...]) : bytes
    }

    /// The address in Java's spelling: no zeros in front, and none left out.
    package static func text(_ bytes: [UInt8]) -> String {
        if bytes.count == 4 { return bytes.map { String($0) }.joined(separator: ".") }
        if isMapped(bytes) { return text(Array(bytes[12...])) }
        guard bytes.count == 16 else { return bytes.span.bytes.hexadecimal }
        return stride(from: 0, to: 16, by: 2).map { index in
            String(UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]), radix: 16)
        }.joined(separator: ":")
    }

    private static func isMapped(_ bytes: [UInt8]) -> Bool {
        bytes.count == 16 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
    }

    private static func dotted(_ text: Substring.UTF8View) -> [UInt8]? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard part.count <= 3, part.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
                let byte = UInt8(String(Substring(part)))
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func colons(_ text: String) -> [UInt8]? {
        var front: [UInt8] = []
        var back: [UInt8]?
        var rest = Substring(text).utf8
        if rest.first == UInt8(ascii: ":") {
            rest = rest.dropFirst()
            guard rest.first == UInt8(ascii: ":") else { return nil }
        }
        while !rest.isEmpty {
            if rest.first == UInt8(ascii: ":") {
                guard back == nil else { return nil }
                back = []
                rest = rest.dropFirst()
                continue
            }
            let group = rest.prefix { $0 != UInt8(ascii: ":") }
            rest = rest.dropFirst(group.count)
            guard let bytes = rest.isEmpty ? lastGroup(group) : pair(group) else { return nil }
            if back == nil { front += bytes } else { back? += bytes }
            guard front.count + (back?.count ?? 0) <= 16 else { return nil }
            if rest.first == UInt8(ascii: ":") {
                rest = rest.dropFirst()
                if rest.isEmpty { return nil }
            }
        }
        guard let tail = back else { return front.count == 16 ? front : nil }
        let missing: Int = 16 - front.count - tail.count
        return missing >= 2 ? front + [UInt8](repeating: 0, count: missing) + tail : nil
    }

    private static func lastGroup(_ group: Substring.UTF8View) -> [UInt8]? {
        group.contains(UInt8(ascii: ".")) ? dotted(group) : pair(group)
    }

    private static func pair(_ group: Substring.UTF8View) -> [UInt8]? {
        guard group.count >= 1, group.count <= 4, group.allSatisfy({ Hexadecimal.value(of: $0) != nil }),
            let number = UInt16(String(Substring(group)), radix: 16)
        else { return nil }
        return [UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)]
    }
}
