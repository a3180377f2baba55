import DataModel
import Primitives
import Testing

@Suite struct ValueLiteralTests {
    private func literal(_ type: CQLType, _ bytes: [UInt8]) -> String { type.cqlLiteral(of: bytes.span.bytes) }

    @Test func knownTextsHaveKnownBytesAndPrintAgain() throws {
        let cases: [(CQLType, String, [UInt8], String)] = [
            (.ascii, "it's", Array("it's".utf8), "'it''s'"), (.text, "é", [0xC3, 0xA9], "'é'"), (.text, "", [], "''"),
            (.tinyint, "-128", [0x80], "-128"), (.smallint, "+7", [0, 7], "7"),
            (.int, "-2", [255, 255, 255, 254], "-2"),
            (.bigint, "9223372036854775807", [127, 255, 255, 255, 255, 255, 255, 255], "9223372036854775807"),
            (.varint, "-129", [0xFF, 0x7F], "-129"), (.varint, "128", [0, 0x80], "128"), (.varint, "0", [0], "0"),
            (.varint, "18446744073709551616", [1, 0, 0, 0, 0, 0, 0, 0, 0], "18446744073709551616"),
            (.varint, "-18446744073709551616", [0xFF, 0, 0, 0, 0, 0, 0, 0, 0], "-18446744073709551616"),
            (.decimal, "1.50", [0, 0, 0, 2, 0, 150], "1.50"), (.decimal, "-0.001", [0, 0, 0, 3, 255], "-0.001"),
            (.decimal, "1E3", [255, 255, 255, 253, 1], "1000"), (.decimal, ".5", [0, 0, 0, 1, 5], "0.5"),
            (.decimal, "12e-200", [0, 0, 0, 200, 12], "1.2E-199"),
            (.boolean, "TRUE", [1], "true"), (.blob, "0xCAfe", [0xCA, 0xFE], "0xcafe"), (.blob, "0x", [], "0x"),
            (.float, "1.5", [0x3F, 0xC0, 0, 0], "1.5"), (.double, "-2", [0xC0, 0, 0, 0, 0, 0, 0, 0], "-2.0"),
            (.float, "NaN", [0x7F, 0xC0, 0, 0], "NaN"),
            (.double, "-infinity", [0xFF, 0xF0, 0, 0, 0, 0, 0, 0], "-Infinity"),
            (.date, "1970-01-02", [0x80, 0, 0, 1], "'1970-01-02'"),
            (.date, "2147483648", [0x80, 0, 0, 0], "'1970-01-01'"),
            (.time, "00:00:01.5", [0, 0, 0, 0, 0x59, 0x68, 0x2F, 0], "'00:00:01.500000000'"),
            (.timestamp, "1000", [0, 0, 0, 0, 0, 0, 3, 0xE8], "'1970-01-01T00:00:01.000Z'"),
            (.inet, "127.0.0.1", [127, 0, 0, 1], "'127.0.0.1'"), (.duration, "1mo2d3ns", [2, 4, 6], "1mo2d3ns"),
            (.duration, "0d", [0, 0, 0], "0s"),
            (.uuid, "00010203-0405-0607-0809-0A0b0c0d0e0f", Array(0...15), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        ]
        for (type, text, bytes, printed) in cases {
            #expect(try type.valueBytes(ofText: text) == bytes, "\(type.cqlName) \(text)")
            #expect(literal(type, bytes) == printed, "\(type.cqlName) \(text)")
        }
    }

    @Test func integersHaveLimits() throws {
        let cases: [(CQLType, String, String, String)] = [
            (.tinyint, "127", "128", "Unable to make byte from '128'"),
            (.smallint, "-32768", "-32769", "Unable to make short from '-32769'"),
            (.int, "2147483647", "2147483648", "Unable to make int from '2147483648'"),
            (
                .bigint, "-9223372036854775808", "-9223372036854775809",
                "Unable to make long from '-9223372036854775809'"
            ),
            (.date, "4294967295", "4294967296", "Unable to make unsigned int (for date) from: '4294967296'"),
            (.time, "86399999999999", "86400000000000", "Unable to make long (for time) from: '86400000000000'"),
            (
                .timestamp, "9223372036854775807", "9223372036854775808",
                "Unable to make long (for date) from: '9223372036854775808'"
            ),
        ]
        for (type, last, beyond, message) in cases {
            #expect(throws: Never.self) { try type.valueBytes(ofText: last) }
            let got: String? = refusal { _ = try type.valueBytes(ofText: beyond) }
            #expect(got == message)
        }
        for text in ["", "x", "1.0", "1 ", "٣", "--1", "0x1"] {
            let got: String? = refusal { _ = try CQLType.tinyint.valueBytes(ofText: text) }
            #expect(got == "Unable to make byte from '\(text)'")
        }
        #expect(try CQLType.int.valueBytes(ofText: "") == [])
    }

    @Test func malformedTextsAreRefused() {
        let cases: [(CQLType, [String])] = [
            (.float, ["x", "1f", "0x1p3", "inf", "1e", ".", "1..2", " 1"]),
            (.double, ["nanx", "1d", "e5", "+", "1e5.5"]),
            (
                .decimal,
                [
                    "", "x", ".", "1e", "1E99999999999", "1E-2147483648", "1E2147483649", "1.2.3", "e1", "NaN", "--1",
                    "1E+-1",
                ].filter { !$0.isEmpty }
            ),
            (.varint, ["x", "-", "1.0", "1e3", "+-1"]), (.boolean, ["yes", "1"]), (.blob, ["0x1", "0xzz", "zz"]),
            (.uuid, ["1", "00010203-0405-0607-0809-0a0b0c0d0e0", "00010203x0405-0607-0809-0a0b0c0d0e0f"]),
            (.timeuuid, ["00010203-0405-4607-0809-0a0b0c0d0e0f"]), (.ascii, ["é"]),
            (
                .date,
                [
                    "2011-02-29", "2011-13-01", "2011-00-01", "2011-01-32", "11-01-01", "2011-1", "99999999-01-01",
                    "2011-01-01 ", "x", "-1",
                ]
            ),
            (
                .time,
                ["24:00:00", "00:60:00", "00:00:60", "00:00", "1:2:3.", "1:2:3.0123456789", "-1", "x", "00:00:00Z"]
            ),
            (
                .duration,
                [
                    "", "1", "y", "1x", "1d1y", "1d2d", "P1D1Y", "PT1D", "P1W1D", "P0001-01-01", "P1-2-3T1:2:3", "1y ",
                    "99999999999999999999ns",
                ]
            ),
            (
                .inet,
                [
                    "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.", "::1::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
                    "12345::", "g::", ":1", "1:", "::1%eth0", "example.org", ":::", "1.2.3.4::",
                ]
            ),
        ]
        for (type, texts) in cases {
            for text in texts {
                let got: String? = refusal { _ = try type.valueBytes(ofText: text) }
                #expect(got != nil, "\(type.cqlName) '\(text)'")
            }
        }
        for type in [CQLType.list(.int, isMultiCell: false), .tuple([.int])] {
            #expect(throws: InvalidValue.self) { try type.valueBytes(ofText: "1") }
        }
    }

    @Test func printedValuesAreReadBack() throws {
        for type in CQLType.scalars {
            for seed in UInt64(1)...40 {
                var values = RandomValues(seed: seed)
                values.isCanonical = true
                let value: [UInt8] = type == .duration || type == .counter ? values.value(.bigint) : values.value(type)
                let isDuration: Bool = type == .duration
                let bytes: [UInt8] = isDuration ? try duration(value) : value
                guard let text = type.plainText(of: bytes.span.bytes) else {
                    Issue.record("\(type.cqlName) \(bytes) has no text")
                    continue
                }
                if text.isEmpty { continue }  // an empty value, or a duration of nothing
                let back: [UInt8] = try type.valueBytes(ofText: text)
                let order: Int = compare(back.span.bytes, bytes.span.bytes, as: type)
                #expect(order == 0, "seed \(seed), \(type.cqlName) \(text): \(bytes) became \(back)")
                if type != .inet { #expect(back == bytes || type == .decimal, "seed \(seed), \(type.cqlName) \(text)") }
            }
        }
    }

    private func duration(_ number: [UInt8]) throws -> [UInt8] {
        let count: Int64 = number.reduce(1) { ($0 << 7 ^ Int64($1)) & 0xFFFF_FFFF_FFFF }
        return try CQLDuration(months: Int32(count % 1_000), days: Int32(count % 77), nanoseconds: count).valueBytes
    }

    @Test func longNumbersSurviveTheirText() throws {
        for digits in [17, 18, 19, 20, 38, 39, 40, 100, 1_000, 4_000] {
            for sign in ["", "-"] {
                let text: String =
                    sign + "9" + String(repeating: "0123456789", count: digits / 10 + 1).prefix(digits - 1)
                let bytes: [UInt8] = try CQLType.varint.valueBytes(ofText: text)
                #expect(literal(.varint, bytes) == text)
                let decimal: [UInt8] = try CQLType.decimal.valueBytes(ofText: text + ".25")
                #expect(literal(.decimal, decimal) == text + ".25")
            }
        }
        let limit = String(repeating: "9", count: 65_537)
        #expect(throws: InvalidValue.self) { try CQLType.varint.valueBytes(ofText: limit) }
        #expect(throws: InvalidValue.self) { try CQLType.decimal.valueBytes(ofText: "0." + limit) }
    }

    @Test func floatingPointNumbersArePrintedAsJavaPrintsThem() throws {
        let cases: [(Double, String)] = [
            (0, "0.0"), (-0.0, "-0.0"), (1, "1.0"), (100, "100.0"), (0.1, "0.1"), (0.001, "0.001"), (0.0001, "1.0E-4"),
            (1_234_567, "1234567.0"), (9_999_999, "9999999.0"), (10_000_000, "1.0E7"), (1.5e300, "1.5E300"),
            (-2.25e-7, "-2.25E-7"),
            (123.456, "123.456"), (.leastNonzeroMagnitude, "5.0E-324"), (.nan, "NaN"), (.infinity, "Infinity"),
        ]
        for (number, text) in cases {
            let bytes: [UInt8] = withUnsafeBytes(of: number.bitPattern.bigEndian) { [UInt8]($0) }
            #expect(literal(.double, bytes) == text)
        }
    }

    @Test func timestampsAreReadInEveryForm() throws {
        let noon: Int64 = 1_296_705_900_000  // 2011-02-03 04:05:00 UTC
        let cases: [(String, Int64)] = [
            ("2011-02-03 04:05", noon), ("2011-02-03T04:05", noon), ("2011-02-03 04:05:00", noon),
            ("2011-02-03T04:05:00.000Z", noon),
            ("2011-02-03 04:05+0000", noon), ("2011-02-03 04:05 UTC", noon), ("2011-02-03 04:05:00 GMT", noon),
            ("2011-02-03 05:05+01", noon), ("2011-02-03 05:05+0100", noon), ("2011-02-03 05:05+01:00", noon),
            ("2011-02-03 05:05 +0100", noon),
            ("2011-02-02T23:05:00-05", noon), ("2011-02-02T23:05:00 EST", noon),
            ("2011-02-03T04:05:00.123", noon + 123),
            ("2011-02-03T04:05:00.5Z", noon + 500), ("2011-02-03T04:05:00.123456Z", noon + 123),
            ("2011-02-03", 1_296_691_200_000),
            ("2011-02-03+0100", 1_296_687_600_000), ("2011-02-03 +01:00", 1_296_687_600_000),
            ("2011-02-03Z", 1_296_691_200_000),
            ("1969-12-31T23:59:59.999Z", -1), ("-1", -1), ("0000-01-01", -62_167_219_200_000),
            ("2000-02-29", 951_782_400_000),
        ]
        for (text, wanted) in cases {
            let got: [UInt8] = try CQLType.timestamp.valueBytes(ofText: text)
            #expect(got == withUnsafeBytes(of: wanted.bigEndian) { [UInt8]($0) }, "\(text)")
        }
        for text in [
            "2011-02-30", "2011-02-03 ", "2011-02-03T", "2011-02-03 25:00", "2011-02-03 04:60", "2011-02-03 04:05:60",
            "2011-02-03 04:05 XYZ",
            "2011-02-03 04", "2011-02-03 04:05+24", "2011-02-03 04:05+1:0", "2011-02-03 04:05:00.", "now", "x",
            "2011-02-03 04:05ZZ",
        ] {
            let got: String? = refusal { _ = try CQLType.timestamp.valueBytes(ofText: text) }
            #expect(got == "Unable to coerce '\(text)' to a formatted date (long)")
        }
        for extreme in [Int64.min, Int64.max] {
            let bytes: [UInt8] = withUnsafeBytes(of: extreme.bigEndian) { [UInt8]($0) }
            let text: String = CQLType.timestamp.plainText(of: bytes.span.bytes) ?? ""
            #expect(try CQLType.timestamp.valueBytes(ofText: text) == bytes, "\(text)")
        }
    }

    @Test func daysOfTheCalendarFollowEachOther() throws {
        var previous = CivilDate(daysSinceEpoch: -800_000)
        for day in -799_999...800_000 where day % 7 != 3 || day % 1_461 < 8 {
            let date = CivilDate(daysSinceEpoch: day)
            let isPlausible: Bool = date.exists && date.daysSinceEpoch == day && previous.daysSinceEpoch < day
            if !isPlausible { Issue.record("day \(day) is \(date)") }
            previous = date
        }
        #expect(CivilDate(daysSinceEpoch: 0) == CivilDate(year: 1970, month: 1, day: 1))
        #expect(CivilDate(daysSinceEpoch: 11_016) == CivilDate(year: 2000, month: 2, day: 29))
        for (stored, text) in [(UInt32(0), "'-5877641-06-23'"), (UInt32.max, "'+5881580-07-11'")] {
            let bytes: [UInt8] = withUnsafeBytes(of: stored.bigEndian) { [UInt8]($0) }
            #expect(literal(.date, bytes) == text)
            #expect(try CQLType.date.valueBytes(ofText: String(text.dropFirst().dropLast())) == bytes)
        }
    }

    @Test func durationsAreReadInEverySpelling() throws {
        let cases: [(String, Int32, Int32, Int64)] = [
            ("1y2mo3w4d5h6m7s8ms9us10ns", 14, 25, 18_367_008_009_010), ("1Y2MO", 14, 0, 0), ("-1y2d", -12, -2, 0),
            ("5µs", 0, 0, 5_000),
            ("P1Y2M3DT4H5M6S", 14, 3, 14_706_000_000_000), ("-P1Y", -12, 0, 0), ("P2W", 0, 14, 0),
            ("PT1M", 0, 0, 60_000_000_000),
            ("P0001-02-03T04:05:06", 14, 3, 14_706_000_000_000), ("0d", 0, 0, 0), ("P", 0, 0, 0),
            ("9223372036854775807ns", 0, 0, Int64.max),
            ("2147483647mo", Int32.max, 0, 0),
        ]
        for (text, months, days, nanoseconds) in cases {
            let duration = try CQLDuration(text: text)
            #expect(duration == (try CQLDuration(months: months, days: days, nanoseconds: nanoseconds)), "\(text)")
            let bytes: [UInt8] = duration.valueBytes
            #expect(try CQLDuration(bytes.span.bytes) == duration)
        }
        #expect(try CQLDuration(text: "-1y2mo3w4d5h6m7s8ms9us10ns").description == "-1y2mo25d5h6m7s8ms9us10ns")
        #expect(
            try CQLDuration(months: 0, days: 0, nanoseconds: Int64.min).description == "-2562047h47m16s854ms775us808ns")
        let messages: [(String, String)] = [
            ("2147483648mo", "Invalid duration. The total number of months must be less or equal to 2147483647"),
            ("1mo1y", "Invalid duration. The months should be after years"),
            ("1d1d", "Invalid duration. The days are specified multiple times"),
            (
                "9223372036854775807h",
                "Invalid duration. The total number of nanoseconds must be less or equal to 2147483647"
            ),
            ("x", "Unable to convert 'x' to a duration"),
        ]
        for (text, message) in messages {
            let got: String? = refusal { _ = try CQLDuration(text: text) }
            #expect(got == message)
        }
        let mixed: String? = refusal { _ = try CQLDuration(months: 1, days: -1, nanoseconds: 0) }
        #expect(mixed == "The duration months, days and nanoseconds must be all of the same sign (1, -1, 0)")
    }

    @Test func addressesAreReadAndPrintedAsJavaDoes() throws {
        let cases: [(String, String)] = [
            ("::1", "0:0:0:0:0:0:0:1"), ("::", "0:0:0:0:0:0:0:0"),
            ("2001:DB8::ff00:42:8329", "2001:db8:0:0:0:ff00:42:8329"),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("1::", "1:0:0:0:0:0:0:0"), ("::ffff:1.2.3.4", "1.2.3.4"),
            ("64:ff9b::1.2.3.4", "64:ff9b:0:0:0:0:102:304"), ("255.255.255.255", "255.255.255.255"),
            ("0.0.0.0", "0.0.0.0"),
        ]
        for (text, printed) in cases {
            let bytes: [UInt8] = try CQLType.inet.valueBytes(ofText: text)
            #expect(literal(.inet, bytes) == "'\(printed)'")
        }
    }

    @Test func constantsBecomeOnlyTheTypesThatTheyLookLike() {
        #expect(CQLType.blob.accepts(.hexadecimal))
        #expect(!CQLType.text.accepts(.hexadecimal))
        #expect(CQLType.timestamp.accepts(.string) && CQLType.timestamp.accepts(.integer))
        #expect(!CQLType.int.accepts(.string) && !CQLType.int.accepts(.float) && CQLType.int.accepts(.integer))
        #expect(CQLType.float.accepts(.integer) && CQLType.float.accepts(.float))
        #expect(CQLType.timeuuid.accepts(.uuid) && !CQLType.timeuuid.accepts(.string))
        #expect(CQLType.duration.accepts(.duration) && CQLType.boolean.accepts(.boolean))
    }
}
