import DataModel
import Primitives
import Testing

@Suite struct ValueJSONTests {
    private func bytes(_ type: CQLType, _ text: String) throws -> [UInt8]? {
        try type.valueBytes(ofJSON: try JSONValue(parsing: text))
    }

    @Test func valuesBecomeTheJSONThatCQLDocuments() throws {
        let cases: [(CQLType, String, String)] = [
            (.int, "1", "1"), (.text, "a\"\\\n\u{1}é", "\"a\\\"\\\\\\n\\u0001é\""), (.blob, "0xCAFE", "\"0xcafe\""),
            (.boolean, "true", "true"), (.date, "2011-02-03", "\"2011-02-03\""),
            (.time, "1:2:3", "\"01:02:03.000000000\""),
            (.timestamp, "2011-02-03T04:05:00Z", "\"2011-02-03 04:05:00.000Z\""), (.double, "NaN", "null"),
            (.double, "1.5", "1.5"),
            (.float, "-Infinity", "null"), (.decimal, "1.50", "1.50"),
            (.varint, "123456789012345678901", "123456789012345678901"),
            (.inet, "::1", "\"0:0:0:0:0:0:0:1\""), (.duration, "1y", "\"1y\""),
            (.uuid, "00010203-0405-0607-0809-0a0b0c0d0e0f", "\"00010203-0405-0607-0809-0a0b0c0d0e0f\""),
        ]
        for (type, text, json) in cases {
            let value: [UInt8] = try type.valueBytes(ofText: text)
            #expect(type.json(of: value.span.bytes) == json)
        }
        #expect(CQLType.int.json(of: nil) == "null")
    }

    @Test func jsonIsReadBack() throws {
        for seed in UInt64(1)..<400 {
            var values = RandomValues(seed: seed)
            values.isCanonical = true
            let type: CQLType = values.type(depth: 2)
            let name: String = type.marshalClassName
            // JSON has no infinities, and its maps and sets are put in order.
            let unequal: [String] = ["Float", "Double", "SetType", "MapType", "Inet", "Decimal"]
            if unequal.contains(where: { name.contains($0) }) { continue }
            let value: [UInt8] = values.value(type)
            let json: String = type.json(of: value.span.bytes)
            let isEmptyPart: Bool = json.contains("\"\"")
            if isEmptyPart { continue }
            #expect(try bytes(type, json) == value, "seed \(seed), \(name): \(json)")
        }
    }

    @Test func nestedValuesAreReadInOrder() throws {
        let map: CQLType = .map(.int, .list(.text, isMultiCell: false), isMultiCell: true)
        let value: [UInt8] = try #require(try bytes(map, #" { "2" : ["b", "c"], "1": [] } "#))
        #expect(map.cqlLiteral(of: value.span.bytes) == "{1: [], 2: ['b', 'c']}")
        #expect(map.json(of: value.span.bytes) == #"{"1": [], "2": ["b", "c"]}"#)
        let set: CQLType = .set(.int, isMultiCell: true)
        let sorted: [UInt8] = try #require(try bytes(set, "[3, 1, 3]"))
        #expect(set.cqlLiteral(of: sorted.span.bytes) == "{1, 3}")
        let keyed: CQLType = .map(.tuple([.int, .int]), .int, isMultiCell: true)
        let tuple: [UInt8] = try #require(try bytes(keyed, #"{"[1, 2]": 3}"#))
        #expect(keyed.json(of: tuple.span.bytes) == #"{"[1, 2]": 3}"#)
        let type = UserDefinedType(keyspace: "ks", name: "t", fieldNames: ["a", "B"], fieldTypes: [.int, .text])
        let row: [UInt8] = try #require(try bytes(.userDefined(type, isMultiCell: false), #"{"A": 1, "\"B\"": "x"}"#))
        #expect(CQLType.userDefined(type, isMultiCell: false).json(of: row.span.bytes) == #"{"a": 1, "\"B\"": "x"}"#)
        #expect(try bytes(.int, "null") == nil)
        #expect(try bytes(.vector(.int, dimension: 1), "[1]") == [0, 0, 0, 1])
    }

    @Test func wrongKindsAreRefusedInCassandrasWords() {
        let cases: [(CQLType, String, String)] = [
            (.int, "true", "Expected an int value, but got a Boolean: true"),
            (.int, "1.5", "Expected an int value, but got a Double: 1.5"),
            (.int, "2147483648", "Expected an int value, but got a Long: 2147483648"),
            (.int, "\"x\"", "Unable to make int from 'x'"),
            (.bigint, "[]", "Expected a bigint value, but got a ArrayList: []"),
            (.text, "1", "Expected a UTF-8 string, but got a Integer: 1"),
            (.boolean, "1", "Expected a boolean value, but got a Integer: 1"),
            (.list(.int, isMultiCell: true), "1", "Expected a list, but got a Integer: 1"),
            (.list(.int, isMultiCell: true), "[null]", "Invalid null element in list"),
            (.map(.int, .int, isMultiCell: true), "[]", "Expected a map, but got a ArrayList: []"),
            (.map(.int, .int, isMultiCell: true), "{\"1\": null}", "Invalid null value in map"),
            (.tuple([.int]), "[1, 2]", "Tuple contains extra items (expected 1): [1, 2]"),
            (.tuple([.int]), "[]", "Tuple is missing items (expected 1): []"),
            (.vector(.int, dimension: 2), "[1]", "List had incorrect size: expected 2 but given 1; [1]"),
        ]
        for (type, json, message) in cases {
            let got: String? = refusal { _ = try bytes(type, json) }
            #expect(got == message)
        }
        let blob: String? = refusal { _ = try bytes(.blob, "\"ff\"") }
        #expect(blob?.contains("missing 0x prefix") == true)
    }

    @Test func textsThatAreNoJSONAreRefused() throws {
        let deep = String(repeating: "[", count: 100_000)
        let texts: [String] = [
            "", " ", "tru", "nul", "{", "[", "[1", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "\"", "\"\\x\"", "\"\\u12\"",
            "\"\\ud800\"", "\"\\ud800\\u0041\"",
            "01", "1.", "1e", "-", "+1", ".5", "NaN", "1 2", "\"\u{1}\"", "[1}", "'a'", deep,
        ]
        for text in texts {
            let got: String? = refusal { _ = try JSONValue(parsing: text) }
            #expect(got != nil, "\(text.prefix(20))")
        }
        let nested: String =
            String(repeating: "[", count: JSONValue.maximumDepth)
            + String(repeating: "]", count: JSONValue.maximumDepth)
        #expect(throws: Never.self) { try JSONValue(parsing: nested) }
        #expect(throws: InvalidValue.self) { try JSONValue(parsing: "[" + nested + "]") }
        #expect(try JSONValue(parsing: #""😀\u0041\/""#) == .string("😀A/"))
        #expect(try JSONValue(parsing: #""\ud83d\ude00""#) == .string("😀"))
    }

    @Test func damagedTextsNeverDoHarm() {
        let sample = Array(#"{"a": [1, -2.5e3, "x\u0041\n", null, true], "b": {}}"#.utf8)
        var random = SeededGenerator(seed: 5)
        for _ in 0..<3_000 {
            var bytes: [UInt8] = sample
            for _ in 0...random.below(3) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            _ = try? JSONValue(parsing: String(decoding: bytes.prefix(random.below(bytes.count + 1)), as: UTF8.self))
        }
    }
}
