/// The lines in front of a message's body: a first line and headers (RFC 9112, sections 2 to 5).
struct HTTPHead {
    /// Why bytes are no head.
    enum Fault: Error, Equatable {
        /// More of it may come.
        case incomplete
        case tooLong
        case malformed(String)
    }

    let firstLine: [UInt8]
    /// Names in small letters, values without blanks around them.
    let headers: [HTTPRequest.Parameter]
    /// With the empty line at its end.
    let byteCount: Int

    static let maximumHeaderCount = 64

    init(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(Fault) {
        guard let end = HTTPHead.end(of: bytes, limit: limit) else {
            throw bytes.count >= limit ? .tooLong : .incomplete
        }
        var lines: [[UInt8]] = []
        var line: [UInt8] = []
        for offset in 0..<(end - 2) {
            let byte: UInt8 = bytes[offset]
            if byte == 0x0A {
                guard line.popLast() == 0x0D else { throw .malformed("A line does not end with CR LF.") }
                lines.append(line)
                line = []
                guard lines.count <= HTTPHead.maximumHeaderCount + 1 else { throw .malformed("Too many headers.") }
                continue
            }
            if line.last == 0x0D { throw .malformed("A carriage return within a line.") }
            line.append(byte)
        }
        guard let firstLine = lines.first else { throw .malformed("The first line is empty.") }
        var headers: [HTTPRequest.Parameter] = []
        for line in lines.dropFirst() { headers.append(try HTTPHead.header(line)) }
        self.firstLine = firstLine
        self.headers = headers
        self.byteCount = end
    }

    func header(_ name: String) -> String? {
        headers.first { $0.name == name }?.value
    }

    /// How long the body is by `Content-Length`; nil when that is not said.
    func bodyByteCount() throws(Fault) -> Int? {
        let lengths: [HTTPRequest.Parameter] = headers.filter { $0.name == "content-length" }
        guard let first = lengths.first else { return nil }
        // Two lengths that differ are how a request is hidden within another.
        guard lengths.allSatisfy({ $0.value == first.value }), !first.value.isEmpty, first.value.utf8.count <= 18,
            first.value.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let count = Int(first.value)
        else { throw .malformed("Content-Length is not a number.") }
        return count
    }

    /// The offset behind the empty line; nil when there is none within the limit.
    private static func end(of bytes: UnsafeRawBufferPointer, limit: Int) -> Int? {
        let last: Int = min(bytes.count, limit)
        guard last >= 4 else { return nil }
        for offset in 3..<last
        where bytes[offset] == 0x0A && bytes[offset - 1] == 0x0D && bytes[offset - 2] == 0x0A
            && bytes[offset - 3] == 0x0D
        {
            return offset + 1
        }
        return nil
    }

    private static func header(_ line: [UInt8]) throws(Fault) -> HTTPRequest.Parameter {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else {
            throw .malformed("A header without a name.")
        }
        // A blank in front of the colon, or of the name, is how proxies and servers are made to disagree.
        guard line[..<colon].allSatisfy(isTokenByte) else { throw .malformed("The name of a header is malformed.") }
        var value: ArraySlice<UInt8> = line[(colon + 1)...]
        while let byte = value.first, byte == 0x20 || byte == 0x09 { value.removeFirst() }
        while let byte = value.last, byte == 0x20 || byte == 0x09 { value.removeLast() }
        guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            throw .malformed("A control character in a header.")
        }
        let name: String = String(decoding: line[..<colon], as: UTF8.self).lowercased()
        return HTTPRequest.Parameter(name, String(decoding: value, as: UTF8.self))
    }

    /// The bytes of methods and names of headers (RFC 9110, section 5.6.2).
    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: Array("!#$%&'*+-.^_`|~".utf8).contains(byte)
        }
    }
}
