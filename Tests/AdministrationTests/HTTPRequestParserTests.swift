import Administration
import Primitives
import Testing

@Suite struct HTTPRequestParserTests {
    private let parser = HTTPRequestParser()

    private func parse(_ text: String) -> HTTPRequestParser.Outcome { parse(Array(text.utf8)) }

    private func parse(_ bytes: [UInt8]) -> HTTPRequestParser.Outcome {
        bytes.withUnsafeBytes { parser.next($0) }
    }

    @Test func readsWhatTheClientWrites() {
        let request = HTTPRequest(
            method: "GET", path: "/endpoints",
            query: [
                HTTPRequest.Parameter("keyspace", "k"), HTTPRequest.Parameter("key", "a b&c=ü+%"),
                HTTPRequest.Parameter("empty", ""),
            ],
            headers: [HTTPRequest.Parameter("accept", "application/json")])
        var expected: HTTPRequest = request
        expected.headers = [HTTPRequest.Parameter("host", "127.0.0.1:7199")] + request.headers
        let bytes: [UInt8] = request.bytes(authority: "127.0.0.1:7199")
        #expect(parse(bytes) == .request(expected, byteCount: bytes.count))
    }

    @Test func waitsForTheWholeRequest() {
        let whole = Array("POST /hints/enable HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET".utf8)
        for count in 0..<(whole.count - 3) { #expect(parse(Array(whole[..<count])) == .incomplete) }
        guard case .request(let request, let byteCount) = parse(whole) else {
            Issue.record("no request")
            return
        }
        #expect(request.body == Array("abc".utf8))
        #expect(byteCount == whole.count - 3)
    }

    @Test(arguments: [
        ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false), ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
    ])
    func keepsTheConnectionAsTheVersionSays(version: String, header: String, keeps: Bool) {
        guard case .request(let request, _) = parse("GET / \(version)\r\n\(header)\r\n") else {
            Issue.record("no request")
            return
        }
        #expect(request.keepsConnection == keeps)
    }

    @Test(arguments: [
        ("GET\r\n\r\n", 400), ("GET /\r\n\r\n", 400), (" / HTTP/1.1\r\n\r\n", 400), ("G@T / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1 x\r\n\r\n", 400), ("GET x HTTP/1.1\r\n\r\n", 400), ("GET /%4 HTTP/1.1\r\n\r\n", 400),
        ("GET /%zz HTTP/1.1\r\n\r\n", 400), ("GET /%ff HTTP/1.1\r\n\r\n", 400), ("GET /?a=%f HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\n\r\n", 505), ("\r\n\r\n", 400), ("GET / HTTP/1.1\r\nname\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n: value\r\n\r\n", 400), ("GET / HTTP/1.1\r\na b: c\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\na : c\r\n\r\n", 400), ("GET / HTTP/1.1\r\n folded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\na: b\u{1}c\r\n\r\n", 400), ("GET / HTTP/1.1\na: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\ra: b\r\n\r\n", 400), ("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nContent-Length:\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
    ])
    func refusesWhatIsMalformed(text: String, status: Int) {
        guard case .refused(status, _) = parse(text) else {
            Issue.record("\(parse(text))")
            return
        }
    }

    @Test func holdsHeadsAndBodiesToTheirLimits() {
        let line = "GET / HTTP/1.1\r\nA: "
        let room: Int = parser.maximumHeadByteCount - line.utf8.count - 4
        let fits: String = line + String(repeating: "x", count: room) + "\r\n\r\n"
        guard case .request(_, parser.maximumHeadByteCount) = parse(fits) else {
            Issue.record("a head at the limit is refused")
            return
        }
        let long: String = line + String(repeating: "x", count: room + 1) + "\r\n\r\n"
        guard case .refused(431, _) = parse(long) else {
            Issue.record("a head beyond the limit is taken")
            return
        }
        let limit: Int = parser.maximumBodyByteCount
        #expect(parse("POST / HTTP/1.1\r\nContent-Length: \(limit)\r\n\r\n") == .incomplete)
        guard case .refused(413, _) = parse("POST / HTTP/1.1\r\nContent-Length: \(limit + 1)\r\n\r\n") else {
            Issue.record("a body beyond the limit is taken")
            return
        }
        let many: String = String(repeating: "a: b\r\n", count: 65)
        guard case .refused(400, _) = parse("GET / HTTP/1.1\r\n\(many)\r\n") else {
            Issue.record("too many headers are taken")
            return
        }
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>) func survivesWhateverComes(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let valid: [[UInt8]] = [
            Array("GET /status?keyspace=a%20b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8),
            Array("POST /hints/truncate HTTP/1.0\r\nContent-Length: 4\r\n\r\nabcd".utf8),
        ]
        for _ in 0..<500 {
            var bytes: [UInt8] = valid[generator.below(valid.count)]
            for _ in 0..<(1 + generator.below(4)) where !bytes.isEmpty {
                let place: Int = generator.below(bytes.count)
                switch generator.below(4) {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: generator.next())
                case 1: bytes.remove(at: place)
                case 2: bytes.insert([0x0D, 0x0A, 0x20, 0x25, 0x3A, 0x00][generator.below(6)], at: place)
                default: bytes.removeLast(generator.below(bytes.count))
                }
            }
            let outcome: HTTPRequestParser.Outcome = parse(bytes)
            if case .request(_, let byteCount) = outcome {
                #expect(byteCount > 0 && byteCount <= bytes.count, "seed \(seed)")
            }
            let answer: HTTPResponseParser.Outcome = bytes.withUnsafeBytes {
                HTTPResponseParser().next($0, isAtEnd: true)
            }
            #expect(answer != .incomplete, "seed \(seed)")
        }
    }
}

@Suite struct HTTPResponseParserTests {
    private func parse(_ bytes: [UInt8], isAtEnd: Bool = false) -> HTTPResponseParser.Outcome {
        bytes.withUnsafeBytes { HTTPResponseParser().next($0, isAtEnd: isAtEnd) }
    }

    @Test func readsWhatTheServerWrites() {
        let response = HTTPResponse(status: 404, body: Array("{\"error\":\"x\"}".utf8))
        let bytes: [UInt8] = response.bytes(keepsConnection: false)
        for count in 0..<bytes.count { #expect(parse(Array(bytes[..<count])) == .incomplete) }
        #expect(parse(bytes) == .response(response))
    }

    @Test func takesABodyWithoutALengthAtTheEnd() {
        let bytes = Array("HTTP/1.0 200 OK\r\n\r\n{}".utf8)
        #expect(parse(bytes) == .incomplete)
        #expect(parse(bytes, isAtEnd: true) == .response(HTTPResponse(status: 200, contentType: "", body: [123, 125])))
    }

    @Test func tellsThatNothingWasAnsweredAndWhatTLSAnswersApart() {
        #expect(parse([], isAtEnd: true) == .mute)
        #expect(parse([]) == .incomplete)
        #expect(parse([0x15, 0x03, 0x01, 0, 2, 2, 70]) == .mute)
        #expect(parse([0x15]) == .incomplete)
    }

    @Test(arguments: ["H", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"])
    func tellsThatAnAnswerWasCut(text: String) {
        guard case .malformed = parse(Array(text.utf8), isAtEnd: true) else {
            Issue.record("taken: \(text)")
            return
        }
    }

    @Test(arguments: ["SSH-2.0-OpenSSH\r\n\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 99 x\r\n\r\n"])
    func refusesWhatIsNoHTTP(text: String) {
        guard case .malformed = parse(Array(text.utf8)) else {
            Issue.record("taken: \(text)")
            return
        }
    }
}
