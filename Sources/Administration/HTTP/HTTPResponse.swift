/// An answer of HTTP/1.1.
package struct HTTPResponse: Equatable, Sendable {
    package var status: Int
    package var contentType: String
    package var body: [UInt8]
    /// Methods that are allowed instead of the one that was not.
    package var allowed: [String]
    /// Whether a name and a password are asked for.
    package var asksForPassword = false

    package init(status: Int, contentType: String = "application/json", body: [UInt8] = [], allowed: [String] = []) {
        self.status = status
        self.contentType = contentType
        self.body = body
        self.allowed = allowed
    }

    /// The bytes that a server sends.
    ///
    /// - Parameter hasBody: false for the answer to HEAD, which tells of the body without showing it.
    package func bytes(keepsConnection: Bool, hasBody: Bool = true) -> [UInt8] {
        head(keepsConnection: keepsConnection) + (hasBody ? body : [])
    }

    /// The bytes in front of the body.
    package func head(keepsConnection: Bool) -> [UInt8] {
        var head = "HTTP/1.1 \(status) \(HTTPResponse.reason(status))\r\n"
        head += "Content-Type: \(contentType)\r\nContent-Length: \(body.count)\r\nCache-Control: no-store\r\n"
        if asksForPassword { head += "WWW-Authenticate: Basic realm=\"martlet\", charset=\"UTF-8\"\r\n" }
        if !allowed.isEmpty { head += "Allow: \(allowed.joined(separator: ", "))\r\n" }
        if !keepsConnection { head += "Connection: close\r\n" }
        return Array((head + "\r\n").utf8)
    }

    /// The head of an answer whose body comes piece by piece and ends with the connection.
    package static func streamHead(contentType: String) -> [UInt8] {
        Array(
            ("HTTP/1.1 200 OK\r\nContent-Type: \(contentType)\r\nCache-Control: no-store\r\n"
                + "Connection: close\r\n\r\n").utf8)
    }

    /// The type of answers that are JSON values, one a line.
    package static let lineStreamType = "application/x-ndjson"

    private static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 413: "Content Too Large"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 505: "HTTP Version Not Supported"
        default: "Unknown"
        }
    }
}

/// Reads the one answer that comes on a connection.
package struct HTTPResponseParser: Sendable {
    package enum Outcome: Equatable, Sendable {
        case incomplete
        case response(HTTPResponse)
        case malformed(String)
        /// Nothing was answered, or what TLS answers to those who do not speak it.
        case mute
    }

    package var maximumHeadByteCount = 16 << 10
    package var maximumBodyByteCount = 64 << 20

    package init() {}

    /// - Parameter isAtEnd: whether the server has closed its side, which ends a body of unknown length.
    package func next(_ bytes: UnsafeRawBufferPointer, isAtEnd: Bool = false) -> Outcome {
        // An alert of TLS begins with its type and the major version.
        if isAtEnd && bytes.isEmpty || bytes.starts(with: [0x15, 0x03]) { return .mute }
        let head: HTTPHead
        let length: Int?
        do throws(HTTPHead.Fault) {
            head = try HTTPHead(bytes, limit: maximumHeadByteCount)
            length = try head.bodyByteCount()
        } catch {
            switch error {
            case .incomplete: return isAtEnd ? .malformed("The answer ends early.") : .incomplete
            case .tooLong: return .malformed("The answer's head is too long.")
            case .malformed(let reason): return .malformed(reason)
            }
        }
        let parts: [ArraySlice<UInt8>] = head.firstLine.split(separator: 0x20, maxSplits: 2)
        guard parts.count >= 2, String(decoding: parts[0], as: UTF8.self).hasPrefix("HTTP/1."),
            let status = Int(String(decoding: parts[1], as: UTF8.self)), (100...599).contains(status)
        else { return .malformed("It is no answer of HTTP.") }
        let present: Int = bytes.count - head.byteCount
        guard (length ?? present) <= maximumBodyByteCount else { return .malformed("The answer is too long.") }
        if let length, present < length { return isAtEnd ? .malformed("The answer ends early.") : .incomplete }
        if length == nil, !isAtEnd { return .incomplete }
        let end: Int = head.byteCount + (length ?? present)
        return .response(
            HTTPResponse(
                status: status, contentType: head.header("content-type") ?? "",
                body: [UInt8](bytes[head.byteCount..<end])))
    }
}
