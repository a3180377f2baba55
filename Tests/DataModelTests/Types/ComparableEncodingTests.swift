import DataModel
import Primitives
import Testing

@Suite struct ComparableEncodingTests {
    private func encoded(_ value: [UInt8], _ form: ComparableForm, descending: Bool = false) throws -> [UInt8] {
        var writer = ByteWriter()
        try ComparableEncoder.append(value.span.bytes, form: form, descending: descending, to: &writer)
        return writer.array()
    }

    private func decoded(_ bytes: [UInt8], _ form: ComparableForm, descending: Bool = false) throws -> [UInt8] {
        var reader = ByteReader(bytes.span.bytes)
        var writer = ByteWriter()
        let isValue: Bool = try ComparableDecoder.decode(&reader, form: form, descending: descending, into: &writer)
        #expect(isValue)
        let left: Int = reader.remaining
        #expect(left == 0, "everything is read")
        return writer.array()
    }

    private func sign(_ number: Int) -> Int { number.signum() }

    private func memoryOrder(_ left: [UInt8], _ right: [UInt8]) -> Int {
        left == right ? 0 : left.lexicographicallyPrecedes(right) ? -1 : 1
    }

    private func check(_ type: CQLType, _ values: [[UInt8]], seed: UInt64) throws {
        let form = ComparableForm(type)
        let forms: [[UInt8]] = try values.map { try encoded($0, form) }
        let reversed: [[UInt8]] = try values.map { try encoded($0, form, descending: true) }
        for (index, bytes) in forms.enumerated() {
            #expect(reversed[index] == bytes.map { ~$0 }, "seed \(seed), \(type.cqlName)")
            let firsts: Bool =
                bytes[0] >= 1 && bytes[0] <= 0xFE && reversed[index][0] >= 1 && reversed[index][0] <= 0xFE
            #expect(firsts)
            for other in forms.indices {
                let wanted: Int = sign(form.order(values[index], values[other]))
                let mirrored: Int = sign(form.order(values[other], values[index]))
                #expect(wanted == -mirrored)
                let got: Int = memoryOrder(bytes, forms[other])
                let gotReversed: Int = memoryOrder(reversed[index], reversed[other])
                #expect(got == wanted, "seed \(seed), \(type.cqlName): \(values[index]) and \(values[other])")
                #expect(gotReversed == -wanted, "seed \(seed), \(type.cqlName) descending")
                let isPrefix: Bool = bytes != forms[other] && forms[other].starts(with: bytes)
                #expect(!isPrefix, "seed \(seed), \(type.cqlName): no encoding begins another")
            }
        }
    }

    @Test(arguments: RandomValues.ordered)
    func bytesOrderAsScalarValuesDo(type: CQLType) throws {
        for seed in UInt64(1)...12 {
            var values = RandomValues(seed: seed)
            try check(type, (0..<24).map { _ in values.value(type) }, seed: seed)
        }
    }

    @Test func bytesOrderAsNestedValuesDo() throws {
        for seed in UInt64(100)..<260 {
            var values = RandomValues(seed: seed)
            let type: CQLType = values.type(depth: 3)
            try check(type, (0..<10).map { _ in values.value(type) }, seed: seed)
        }
    }

    @Test func whatIsDecodedIsWhatWasEncoded() throws {
        for seed in UInt64(300)..<700 {
            var values = RandomValues(seed: seed)
            values.isCanonical = seed % 2 == 0
            let type: CQLType = values.type(depth: 3)
            let form = ComparableForm(type)
            for _ in 0..<6 {
                let value: [UInt8] = values.value(type)
                for descending in [false, true] {
                    let bytes: [UInt8] = try encoded(value, form, descending: descending)
                    let back: [UInt8] = try decoded(bytes, form, descending: descending)
                    let order: Int = form.order(value.span.bytes, back.span.bytes)
                    #expect(order == 0, "seed \(seed), \(type.cqlName): \(value) became \(back)")
                    #expect(try encoded(back, form, descending: descending) == bytes, "seed \(seed)")
                    #expect(throws: Never.self) { try ValueValidator(type).check(back.span.bytes) }
                    if values.isCanonical, !type.marshalClassName.contains("DecimalType") {
                        #expect(back == value, "seed \(seed), \(type.cqlName)")
                    }
                    var reader = ByteReader(bytes.span.bytes)
                    try ComparableDecoder.skip(&reader, form: form, descending: descending)
                    let left: Int = reader.remaining
                    #expect(left == 0, "seed \(seed), \(type.cqlName): skipping goes as far as reading")
                }
            }
        }
    }

    @Test func knownValuesHaveKnownBytes() throws {
        let cases: [(CQLType, String, [UInt8])] = [
            (.int, "0", [3, 0x80, 0, 0, 0]), (.int, "-1", [3, 0x7F, 0xFF, 0xFF, 0xFF]),
            (.int, "2147483647", [3, 0xFF, 0xFF, 0xFF, 0xFF]), (.tinyint, "-128", [3, 0]),
            (.smallint, "1", [3, 0x80, 1]), (.boolean, "true", [3, 1]),
            (.bigint, "1", [3, 0x80, 0, 0, 0, 0, 0, 0, 1]), (.date, "1970-01-01", [3, 0x80, 0, 0, 0]),
            (.text, "ab", [3, 0x61, 0x62, 0, 0]), (.blob, "0x610062", [3, 0x61, 0, 0xFF, 0x62, 0, 0]),
            (.blob, "0x0102030405060708", [3, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0]),
            (.float, "1", [3, 0xBF, 0x80, 0, 0]), (.float, "-1", [3, 0x40, 0x7F, 0xFF, 0xFF]),
            (.varint, "0", [3, 0x81, 0]), (.varint, "256", [3, 0x82, 1, 0]), (.varint, "-1", [3, 0x7E, 0xFF]),
            (.decimal, "0.00", [3, 2]), (.decimal, "12.30", [3, 3, 0x81, 2, 13, 31, 0]),
        ]
        for (type, text, wanted) in cases {
            let value: [UInt8] = try type.valueBytes(ofText: text)
            let got: [UInt8] = try encoded(value, ComparableForm(type))
            #expect(got == wanted, "\(type.cqlName) \(text)")
        }
        let list: [UInt8] = CollectionValue.list([[0, 0, 0, 1], []])
        let got: [UInt8] = try encoded(list, ComparableForm(.list(.int, isMultiCell: false)))
        #expect(got == [3, 3, 0x80, 0, 0, 1, 2, 0])
    }

    @Test func nullIsBeforeEmptyIsBeforeEveryValue() throws {
        for type in RandomValues.ordered where type != .tinyint && type != .smallint && type != .date && type != .time {
            var null = ByteWriter()
            ComparableEncoder.appendNull(descending: false, to: &null)
            let empty: [UInt8] = try encoded([], ComparableForm(type))
            var values = RandomValues(seed: 7)
            var value: [UInt8] = values.value(type)
            while value.isEmpty { value = values.value(type) }
            let least: [UInt8] = null.array()
            #expect(least == [1])
            #expect(empty == [2])
            #expect(try encoded(value, ComparableForm(type))[0] == 3)
        }
    }

    @Test func elementsAreWrittenWithTheirLengthAndNullAsMinusOne() throws {
        let value: [UInt8] = [1, 2]
        var bytes = ByteWriter()
        try ComparableEncoder.append(value.span.bytes, form: ComparableForm(.blob), descending: true, to: &bytes)
        ComparableEncoder.appendNull(descending: true, to: &bytes)
        let all: [UInt8] = bytes.array()
        var reader = ByteReader(all.span.bytes)
        var writer = ByteWriter()
        try ComparableDecoder.decodeElement(&reader, form: ComparableForm(.blob), descending: true, into: &writer)
        try ComparableDecoder.decodeElement(&reader, form: ComparableForm(.blob), descending: true, into: &writer)
        let elements: [UInt8] = writer.array()
        #expect(elements == [0, 0, 0, 2, 1, 2, 0xFF, 0xFF, 0xFF, 0xFF])
    }

    @Test func decimalsThatAreEqualHaveTheSameBytes() throws {
        let form = ComparableForm(.decimal)
        let same: [String] = ["1", "1.0", "1.000", "1E0", "10E-1", "0.01E2"]
        let forms: Set<[UInt8]> = Set(try same.map { try encoded(try CQLType.decimal.valueBytes(ofText: $0), form) })
        #expect(forms.count == 1)
        let ascending: [String] = [
            "-1E100", "-10", "-9.99", "-1", "-0.1", "-1E-100", "0", "1E-100", "0.1", "0.11", "0.2", "1", "1.5", "9",
            "10",
            "10.01", "99", "1E2147483647",
        ]
        let sorted: [[UInt8]] = try ascending.map { try encoded(try CQLType.decimal.valueBytes(ofText: $0), form) }
        for index in 1..<sorted.count {
            #expect(memoryOrder(sorted[index - 1], sorted[index]) == -1, "\(ascending[index])")
        }
    }

    @Test func identifiersOrderByVersionAndTime() throws {
        let timeuuids: [String] = [
            "00000000-0000-1000-8080-808080808080", "00000000-0000-1000-7f7f-7f7f7f7f7f7f",
            "ffffffff-0000-1000-8080-808080808080", "00000000-0001-1000-8080-808080808080",
            "00000000-0000-1001-8080-808080808080",
        ]
        let uuids: [String] = [
            "ffffffff-0000-1000-8000-000000000000", "00000000-0001-1000-8000-000000000000",
            "00000000-0000-1001-8000-000000000000", "00000000-0000-4000-8000-000000000000",
            "00000000-0000-4000-8000-000000000001", "00000000-0000-4001-8000-000000000000",
            "00000001-0000-4000-8000-000000000000", "00000000-0000-7000-8000-000000000000",
        ]
        for (type, texts) in [(CQLType.timeuuid, timeuuids), (CQLType.uuid, uuids)] {
            let values: [[UInt8]] = try texts.map { try type.valueBytes(ofText: $0) }
            for index in 1..<values.count {
                let order: Int = ComparableForm(type).order(values[index - 1], values[index])
                #expect(order < 0, "\(texts[index - 1]) is before \(texts[index])")
            }
            try check(type, values, seed: 0)
        }
    }

    @Test func typesWithoutOrderAndMalformedValuesAreRefusedAndLeaveNothing() throws {
        let refused: [(CQLType, [UInt8])] = [
            (.duration, [0, 0, 0]), (.duration, []), (.counter, [0, 0, 0, 0, 0, 0, 0, 1]), (.int, [1, 2, 3]),
            (.bigint, [1]), (.decimal, [1, 2, 3]), (.uuid, [1]), (.list(.int, isMultiCell: false), [0, 0, 0, 1]),
            (.list(.int, isMultiCell: false), [0, 0, 0, 1, 0, 0, 0, 1, 9]),
            (.tuple([.int, .int]), [0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 5, 5]),
            (.vector(.float, dimension: 2), [0, 0, 0, 0]),
            (.list(.duration, isMultiCell: false), [0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0]),
            (.varint, [UInt8](repeating: 1, count: ValueValidator.maximumIntegerByteCount + 1)),
        ]
        for (type, value) in refused {
            var writer = ByteWriter()
            writer.write(UInt8(9))
            let message: String? = refusal {
                try ComparableEncoder.append(
                    value.span.bytes, form: ComparableForm(type), descending: false, to: &writer)
            }
            #expect(message != nil, "\(type.cqlName)")
            let left: [UInt8] = writer.array()
            #expect(left == [9], "\(type.cqlName)")
        }
        #expect(!ComparableForm(.tuple([.int, .duration])).isEncodable)
        #expect(ComparableForm(.tuple([.int, .text])).isEncodable)
    }

    @Test func longNumbersKeepTheirOrder() throws {
        let lengths: [Int] = [1, 126, 127, 128, 129, 300, 5_000]
        var values: [[UInt8]] = []
        for length in lengths {
            values.append([1] + [UInt8](repeating: 0, count: length - 1))
            values.append([0xFE] + [UInt8](repeating: 0, count: length - 1))
        }
        try check(.varint, values, seed: 0)
        for value in values {
            let back: [UInt8] = try decoded(try encoded(value, ComparableForm(.varint)), ComparableForm(.varint))
            #expect(back == value)
        }
    }

    @Test func hostileBytesAreRefusedWithoutHarm() {
        for seed in UInt64(1_000)..<1_600 {
            var values = RandomValues(seed: seed)
            let type: CQLType = values.type(depth: 3)
            let form = ComparableForm(type)
            for round in 0..<12 {
                var bytes: [UInt8] = values.random.bytes(values.random.below(40))
                if round % 2 == 0, var good = try? encoded(values.value(type), form), !good.isEmpty {
                    good[values.random.below(good.count)] ^= UInt8(1 << values.random.below(8))
                    bytes = Array(good.prefix(1 + values.random.below(good.count)))
                } else if !bytes.isEmpty {
                    bytes[0] = 3
                }
                for descending in [false, true] {
                    var reader = ByteReader(bytes.span.bytes)
                    var writer = ByteWriter()
                    _ = try? ComparableDecoder.decode(&reader, form: form, descending: descending, into: &writer)
                    var other = ByteReader(bytes.span.bytes)
                    try? ComparableDecoder.skip(&other, form: form, descending: descending)
                }
                let value: [UInt8] = values.value(type)
                let one: Int = form.order(bytes.span.bytes, value.span.bytes)
                let mirrored: Int = form.order(value.span.bytes, bytes.span.bytes)
                #expect(one.signum() == -mirrored.signum(), "seed \(seed), \(type.cqlName)")
                try? ValueValidator(type).check(bytes.span.bytes)
                _ = type.cqlLiteral(of: bytes.span.bytes)
                _ = type.json(of: bytes.span.bytes)
                _ = try? CollectionValue.canonical(bytes.span.bytes, as: type)
            }
        }
    }
}
