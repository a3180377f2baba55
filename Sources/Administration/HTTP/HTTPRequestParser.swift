/// Reads requests from the front of what a client has sent. A pure value: the same bytes give the same answer.
package struct HTTPRequestParser: Sendable {
    package enum Outcome: Equatable, Sendable {
        /// More bytes must come.
        case incomplete
        /// A request and the number of bytes that it takes.
        case request(HTTPRequest, byteCount: Int)
        /// Nothing behind this can be read either: the connection is to be closed with this answer.
        case refused(status: Int, reason: String)
    }

    package var maximumHeadByteCount = 8 << 10
    package var maximumBodyByteCount = 64 << 10

    package init() {}

    package func next(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        do throws(HTTPHead.Fault) {
            let head = try HTTPHead(bytes, limit: maximumHeadByteCount)
            return try request(head, bytes)
        } catch {
            switch error {
            case .incomplete: return .incomplete
            case .tooLong: return .refused(status: 431, reason: "The request's head is too long.")
            case .malformed(let reason): return .refused(status: 400, reason: reason)
            }
        }
    }

    private func request(_ head: HTTPHead, _ bytes: UnsafeRawBufferPointer) throws(HTTPHead.Fault) -> Outcome {
        let parts: [ArraySlice<UInt8>] = head.firstLine.split(
            separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, parts[0].allSatisfy(HTTPHead.isTokenByte) else {
            throw .malformed("The first line is not METHOD TARGET VERSION.")
        }
        let version = String(decoding: parts[2], as: UTF8.self)
        guard version.hasPrefix("HTTP/1.") else {
            return .refused(status: 505, reason: "Only HTTP/1.1 and HTTP/1.0 are spoken.")
        }
        if head.header("transfer-encoding") != nil {
            return .refused(status: 501, reason: "Bodies must have a Content-Length.")
        }
        let bodyByteCount: Int = try head.bodyByteCount() ?? 0
        guard bodyByteCount <= maximumBodyByteCount else {
            return .refused(status: 413, reason: "The request's body is too long.")
        }
        let end: Int = head.byteCount + bodyByteCount
        guard let target = Target(parts[1]) else { throw .malformed("The target is malformed.") }
        guard bytes.count >= end else { return .incomplete }
        let connection: String = (head.header("connection") ?? "").lowercased()
        let request = HTTPRequest(
            method: String(decoding: parts[0], as: UTF8.self), path: target.path, query: target.query,
            headers: head.headers, body: [UInt8](bytes[head.byteCount..<end]),
            keepsConnection: version == "HTTP/1.0" ? connection == "keep-alive" : connection != "close")
        return .request(request, byteCount: end)
    }

    /// The path and the query of a request (RFC 9112, section 3.2.1).
    private struct Target {
        let path: String
        let query: [HTTPRequest.Parameter]

        init?(_ bytes: ArraySlice<UInt8>) {
            guard bytes.first == UInt8(ascii: "/") else { return nil }
            let parts: [ArraySlice<UInt8>] = bytes.split(
                separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
            guard let path = PercentEncoding.decoded(parts[0], plusIsBlank: false) else { return nil }
            var query: [HTTPRequest.Parameter] = []
            if parts.count == 2 {
                for pair in parts[1].split(separator: UInt8(ascii: "&")) {
                    let halves: [ArraySlice<UInt8>] = pair.split(
                        separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
                    guard let name = PercentEncoding.decoded(halves[0], plusIsBlank: true),
                        let value = PercentEncoding.decoded(halves.count == 2 ? halves[1] : [], plusIsBlank: true)
                    else { return nil }
                    query.append(HTTPRequest.Parameter(name, value))
                }
            }
            self.path = path
            self.query = query
        }
    }
}
