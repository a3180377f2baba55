/// One request of HTTP/1.1 (RFC 9112), as far as the admin interface takes them.
package struct HTTPRequest: Equatable, Sendable {
    package var method: String
    /// What the path names, percent-decoded, such as `/hints/pending`.
    package var path: String
    /// Names and values behind the `?`, decoded, in the order in which they came.
    package var query: [Parameter]
    /// Names in small letters.
    package var headers: [Parameter]
    package var body: [UInt8]
    /// Whether the connection is to stay open after the answer.
    package var keepsConnection: Bool

    package struct Parameter: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(
        method: String, path: String, query: [Parameter] = [], headers: [Parameter] = [], body: [UInt8] = [],
        keepsConnection: Bool = true
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.keepsConnection = keepsConnection
    }

    /// The value of a query parameter; nil when it is missing or empty.
    package func parameter(_ name: String) -> String? {
        guard let value = query.last(where: { $0.name == name })?.value, !value.isEmpty else { return nil }
        return value
    }

    /// All values of a query parameter that are not empty, in their order.
    package func parameters(_ name: String) -> [String] {
        query.filter { $0.name == name && !$0.value.isEmpty }.map(\.value)
    }

    /// Whether a query parameter says so: it is there without a value, or is `true`.
    package func flag(_ name: String) -> Bool {
        guard let value = query.last(where: { $0.name == name })?.value else { return false }
        return value.isEmpty || value == "true"
    }

    package func header(_ name: String) -> String? {
        headers.first { $0.name == name }?.value
    }

    /// The bytes that a client sends.
    ///
    /// - Parameter authority: host and port that it is connected to.
    package func bytes(authority: String) -> [UInt8] {
        var target: String = PercentEncoding.encodedPath(path)
        if !query.isEmpty {
            target += "?"
            target += query.map { parameter in
                PercentEncoding.encoded(parameter.name) + "=" + PercentEncoding.encoded(parameter.value)
            }.joined(separator: "&")
        }
        var head = "\(method) \(target) HTTP/1.1\r\nHost: \(authority)\r\n"
        for header in headers { head += "\(header.name): \(header.value)\r\n" }
        if !body.isEmpty || method == "POST" { head += "Content-Length: \(body.count)\r\n" }
        if !keepsConnection { head += "Connection: close\r\n" }
        return Array((head + "\r\n").utf8) + body
    }
}

/// Percent-encoding of URIs (RFC 3986, section 2.1), with `+` for a blank in queries.
package enum PercentEncoding {
    private static let digits: [UInt8] = Array("0123456789ABCDEF".utf8)

    package static func encoded(_ text: String) -> String { encoded(text, keeping: []) }

    package static func encodedPath(_ path: String) -> String { encoded(path, keeping: [UInt8(ascii: "/")]) }

    private static func encoded(_ text: String, keeping kept: [UInt8]) -> String {
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            if isUnreserved(byte) || kept.contains(byte) {
                encoded.append(byte)
            } else {
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    /// - Returns: nil when an escape is cut or wrong, or the bytes are no UTF-8.
    package static func decoded(_ text: some Sequence<UInt8>, plusIsBlank: Bool) -> String? {
        var bytes: [UInt8] = []
        var iterator = text.makeIterator()
        while let byte = iterator.next() {
            if byte == UInt8(ascii: "%") {
                guard let high = iterator.next().flatMap(digitValue), let low = iterator.next().flatMap(digitValue)
                else { return nil }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(plusIsBlank && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func digitValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
