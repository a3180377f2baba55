import DataModel
import Primitives
import Testing

@Suite struct ValueValidatorTests {
    private func message(_ type: CQLType, _ bytes: [UInt8]) -> String? {
        refusal { try ValueValidator(type).check(bytes.span.bytes) }
    }

    @Test func messagesAreThoseOfCassandra() {
        let cases: [(CQLType, Int, String)] = [
            (.int, 5, "Expected 4 or 0 byte int (5)"), (.bigint, 4, "Expected 8 or 0 byte long (4)"),
            (.counter, 4, "Expected 8 or 0 byte long (4)"), (.float, 3, "Expected 4 or 0 byte value for a float (3)"),
            (.double, 4, "Expected 8 or 0 byte value for a double (4)"),
            (.timestamp, 1, "Expected 8 or 0 byte long for date (1)"),
            (.boolean, 2, "Expected 1 or 0 byte value (2)"), (.tinyint, 0, "Expected 1 byte for a tinyint (0)"),
            (.smallint, 0, "Expected 2 bytes for a smallint (0)"), (.date, 0, "Expected 4 byte long for date (0)"),
            (.time, 0, "Expected 8 byte long for time (0)"), (.uuid, 15, "UUID should be 16 or 0 bytes (15)"),
            (.timeuuid, 16, "Invalid version for TimeUUID type."),
            (.inet, 5, "Expected 4 or 16 byte inetaddress; got 0000000000"),
            (.decimal, 3, "Expected 0 or at least 4 bytes"),
            (.duration, 2, "Expected at least 3 bytes for a duration (2)"),
        ]
        for (type, count, wanted) in cases {
            #expect(message(type, [UInt8](repeating: 0, count: count)) == wanted, "\(type.cqlName)")
        }
    }

    @Test func emptyValuesAreLegalForMostTypes() {
        let illegal: Set<CQLType> = [.tinyint, .smallint, .date, .time, .duration]
        for type in CQLType.scalars { #expect((message(type, []) != nil) == illegal.contains(type), "\(type.cqlName)") }
        #expect(message(.list(.int, isMultiCell: false), []) == "Not enough bytes to read a list")
        #expect(message(.tuple([.int]), []) == nil)
    }

    @Test func timesEndBeforeMidnight() {
        let last: Int64 = 86_399_999_999_999
        for (value, isLegal) in [(Int64(0), true), (last, true), (last + 1, false), (-1, false)] {
            let bytes: [UInt8] = withUnsafeBytes(of: value.bigEndian) { [UInt8]($0) }
            #expect((message(.time, bytes) == nil) == isLegal, "\(value)")
        }
    }

    @Test func asciiHasSevenBits() {
        for length in 0..<20 {
            #expect(message(.ascii, [UInt8](repeating: 0x7F, count: length)) == nil)
            for position in 0..<length {
                var bytes = [UInt8](repeating: 0x41, count: length)
                bytes[position] = 0x80
                #expect(message(.ascii, bytes) == "Invalid byte for ascii: -128")
            }
        }
    }

    @Test func everyScalarValueOfUnicodeIsText() {
        for code in stride(from: UInt32(0), through: 0x10FFFF, by: 37) {
            guard let scalar = Unicode.Scalar(code) else { continue }
            let text = "abc" + String(Character(scalar)) + "defghijk"
            #expect(message(.text, Array(text.utf8)) == nil, "U+\(String(code, radix: 16))")
        }
    }

    @Test func malformedTextIsRefusedWhereverItStands() {
        let malformed: [[UInt8]] = [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x41], [0xE0, 0x80, 0x80], [0xE0, 0xA0],
            [0xED, 0xA0, 0x80],
            [0xEF, 0xBF], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x90, 0x80], [0xF4, 0x90, 0x80, 0x80],
            [0xF5, 0x80, 0x80, 0x80],
            [0xFF], [0xE1, 0x80, 0x41], [0xF1, 0x80, 0x80, 0x41],
        ]
        for sequence in malformed {
            for before in 0..<10 {
                for after in [0, 1, 9] {
                    let bytes: [UInt8] =
                        [UInt8](repeating: 0x61, count: before) + sequence + [UInt8](repeating: 0x61, count: after)
                    #expect(message(.text, bytes) == "String didn't validate.", "\(bytes)")
                }
            }
        }
    }

    @Test func textIsCheckedAsTheStandardLibraryChecksIt() {
        var random = SeededGenerator(seed: 11)
        for round in 0..<4_000 {
            var bytes = Array("aé€😀zzzzzzzz".utf8.shuffled(using: &random))
            if round % 3 == 0 { bytes = Array("aé€😀zzzzzzzzé".utf8) }
            if round % 3 == 1 { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            let wanted: Bool = String(validating: bytes, as: UTF8.self) != nil
            #expect((message(.text, bytes) == nil) == wanted, "seed 11, round \(round): \(bytes)")
        }
    }

    @Test func collectionsAreCheckedToTheLastByte() {
        let list: CQLType = .list(.int, isMultiCell: true)
        let good: [UInt8] = CollectionValue.list([[0, 0, 0, 1], []])
        #expect(message(list, good) == nil)
        #expect(message(list, good + [0]) == "Unexpected extraneous bytes after list value")
        for length in 0..<good.count {
            #expect(message(list, Array(good.prefix(length))) == "Not enough bytes to read a list")
        }
        #expect(message(list, [0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF]) == "Null value read when not allowed")
        #expect(message(list, [0xFF, 0xFF, 0xFF, 0xFF]) == "Not enough bytes to read a list")
        #expect(message(list, [0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]) == "Not enough bytes to read a list")
        #expect(message(.set(.int, isMultiCell: false), CollectionValue.list([[1]])) == "Expected 4 or 0 byte int (1)")
        let map: CQLType = .map(.text, .int, isMultiCell: false)
        #expect(message(map, CollectionValue.map([(key: [0x61], value: [0, 0, 0, 1])], keyType: .text)) == nil)
        #expect(
            message(map, CollectionValue.map([(key: [0xFF], value: [0, 0, 0, 1])], keyType: .text))
                == "String didn't validate.")
        #expect(
            message(map, CollectionValue.map([(key: [0x61], value: [1])], keyType: .text))
                == "Expected 4 or 0 byte int (1)")
        #expect(message(map, [0, 0, 0, 1, 0, 0, 0, 0]) == "Not enough bytes to read a map")
    }

    @Test func tuplesMayEndEarlyButNotLate() {
        let tuple: CQLType = .tuple([.int, .text])
        let whole: [UInt8] = CollectionValue.tuple([[0, 0, 0, 1], [0x61]])
        #expect(message(tuple, whole) == nil)
        #expect(message(tuple, CollectionValue.tuple([nil, nil])) == nil)
        #expect(message(tuple, Array(whole.prefix(8))) == nil)
        #expect(message(tuple, Array(whole.prefix(10))) == "Not enough bytes to read size of 1th component")
        #expect(message(tuple, Array(whole.prefix(6))) == "Not enough bytes to read 0th component")
        #expect(message(tuple, whole + [0]) == "Invalid remaining data after end of tuple value")
        #expect(message(tuple, CollectionValue.tuple([[1], nil])) == "Expected 4 or 0 byte int (1)")
    }

    @Test func vectorsHaveAllTheirElements() {
        let fixed: CQLType = .vector(.float, dimension: 2)
        #expect(message(fixed, [UInt8](repeating: 0, count: 8)) == nil)
        #expect(message(fixed, [UInt8](repeating: 0, count: 7)) == "Not enough bytes to read a vector")
        #expect(message(fixed, [UInt8](repeating: 0, count: 9)) == "Unexpected extraneous bytes after vector value")
        let variable: CQLType = .vector(.text, dimension: 2)
        #expect(message(variable, [1, 0x61, 0]) == nil)
        #expect(message(variable, [1, 0x61]) == "Not enough bytes to read a vector")
        #expect(message(variable, [1, 0xFF, 0]) == "String didn't validate.")
    }

    @Test func numbersOfUnboundedSizeAreBounded() {
        let limit: Int = ValueValidator.maximumIntegerByteCount
        #expect(message(.varint, [UInt8](repeating: 1, count: limit)) == nil)
        #expect(message(.varint, [UInt8](repeating: 1, count: limit + 1)) != nil)
        #expect(message(.decimal, [UInt8](repeating: 1, count: limit + 4)) == nil)
        #expect(message(.decimal, [UInt8](repeating: 1, count: limit + 5)) != nil)
    }

    @Test func everythingDrawnIsValid() {
        for seed in UInt64(1)..<400 {
            var values = RandomValues(seed: seed)
            let type: CQLType = values.type(depth: 3)
            let value: [UInt8] = values.value(type)
            #expect(message(type, value) == nil, "seed \(seed), \(type.cqlName)")
        }
    }
}
