import DataModel
import Primitives
import Testing

@Suite struct CollectionValueTests {
    private func int(_ number: Int32) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) } }

    @Test func setsAreSortedByTheirTypeAndHoldEachElementOnce() {
        let set: [UInt8] = CollectionValue.set([int(2), int(-1), int(2), int(0)], of: .int)
        #expect(set == CollectionValue.list([int(-1), int(0), int(2)]))
        #expect(CollectionValue.set([], of: .int) == [0, 0, 0, 0])
    }

    @Test func mapsKeepTheLastValueOfAKey() {
        let map: [UInt8] = CollectionValue.map(
            [(key: int(2), value: [1]), (key: int(1), value: [2]), (key: int(2), value: [3])], keyType: .int)
        #expect(CQLType.map(.int, .tinyint, isMultiCell: true).cqlLiteral(of: map.span.bytes) == "{1: 2, 2: 3}")
    }

    @Test func equalDecimalsAreOneElement() throws {
        let elements: [[UInt8]] = try ["1.0", "1", "1.00"].map { try CQLType.decimal.valueBytes(ofText: $0) }
        let set: [UInt8] = CollectionValue.set(elements, of: .decimal)
        #expect(set == CollectionValue.list([elements[0]]))
    }

    @Test func valuesFromClientsArePutInOrderHoweverDeep() throws {
        let inner: CQLType = .set(.int, isMultiCell: false)
        let type: CQLType = .tuple([.list(inner, isMultiCell: false), .map(inner, .int, isMultiCell: false)])
        let unsorted: [UInt8] = CollectionValue.list([int(2), int(1), int(2)])
        let sorted: [UInt8] = CollectionValue.list([int(1), int(2)])
        let value: [UInt8] = CollectionValue.tuple([
            CollectionValue.list([unsorted]), CollectionValue.map([(key: unsorted, value: int(1))], keyType: inner),
        ])
        let wanted: [UInt8] = CollectionValue.tuple([
            CollectionValue.list([sorted]), CollectionValue.map([(key: sorted, value: int(1))], keyType: inner),
        ])
        #expect(try CollectionValue.canonical(value.span.bytes, as: type) == wanted)
        #expect(try CollectionValue.canonical(wanted.span.bytes, as: type) == wanted)
        let short: [UInt8] = Array(value.dropLast(3))
        #expect(throws: InvalidValue.self) { try CollectionValue.canonical(short.span.bytes, as: type) }
    }

    @Test func aReaderYieldsWhatAWriterWrote() throws {
        let bytes: [UInt8] = CollectionValue.list([[1], [], [2, 3]])
        var reader = try CollectionReader(bytes.span.bytes)
        let count: Int = reader.count
        #expect(count == 3)
        var sizes: [Int] = []
        while let element = try reader.next() { sizes.append(element.byteCount) }
        #expect(sizes == [1, 0, 2])
        let isFinished: Bool = reader.isFinished
        #expect(isFinished)
    }

    @Test func vectorsOfVariableElementsSayTheirLengths() throws {
        let words: [UInt8] = try CollectionValue.vector([[0x61], [0x62, 0x63]], of: .text)
        #expect(words == [1, 0x61, 2, 0x62, 0x63])
        let shorts: [UInt8] = try CollectionValue.vector([[0, 1]], of: .smallint)
        #expect(shorts == [2, 0, 1])
        let numbers: [UInt8] = try CollectionValue.vector([int(1), int(2)], of: .int)
        #expect(numbers == int(1) + int(2))
        #expect(throws: InvalidValue.self) { try CollectionValue.vector([[]], of: .int) }
        var reader = VectorReader(words.span.bytes, elementByteCount: 0, dimension: 2)
        let first: Int? = try reader.next()?.byteCount
        let second: Int? = try reader.next()?.byteCount
        let third: Int? = try reader.next()?.byteCount
        #expect(first == 1 && second == 2 && third == nil)
    }

    @Test func literalsOfNestedValuesReadAsCQL() throws {
        let type = UserDefinedType(keyspace: "ks", name: "t", fieldNames: ["a", "B"], fieldTypes: [.int, .text])
        let cases: [(CQLType, [UInt8], String)] = [
            (.list(.text, isMultiCell: true), CollectionValue.list([[0x61], [0x27]]), "['a', '''']"),
            (.set(.int, isMultiCell: true), CollectionValue.list([int(1), int(2)]), "{1, 2}"),
            (.tuple([.int, .text]), CollectionValue.tuple([int(1), nil]), "(1, null)"),
            (.userDefined(type, isMultiCell: false), CollectionValue.tuple([int(1), [0x61]]), "{a: 1, \"B\": 'a'}"),
            (.vector(.int, dimension: 2), int(1) + int(2), "[1, 2]"), (.list(.int, isMultiCell: true), [1], "0x01"),
            (.int, [1], "0x01"), (.int, [], "null"),
        ]
        for (type, bytes, text) in cases { #expect(type.cqlLiteral(of: bytes.span.bytes) == text) }
        #expect(CQLType.int.cqlLiteral(of: nil) == "null")
    }

    @Test func ordersAreThoseOfCassandra() throws {
        let list: CQLType = .list(.int, isMultiCell: false)
        let lists: [[UInt8]] = [
            [], CollectionValue.list([]), CollectionValue.list([int(-1), int(9)]), CollectionValue.list([int(0)]),
            CollectionValue.list([int(0), int(0)]),
        ]
        let tuple: CQLType = .tuple([.int, .int])
        let tuples: [[UInt8]] = [
            [], CollectionValue.tuple([nil, nil]), CollectionValue.tuple([nil, int(1)]),
            CollectionValue.tuple([int(-5)]), CollectionValue.tuple([int(-5), int(0)]),
        ]
        let map: CQLType = .map(.int, .int, isMultiCell: false)
        let maps: [[UInt8]] = [
            CollectionValue.map([], keyType: .int), CollectionValue.map([(key: int(1), value: int(2))], keyType: .int),
            CollectionValue.map([(key: int(1), value: int(3))], keyType: .int),
            CollectionValue.map([(key: int(2), value: int(0))], keyType: .int),
        ]
        for (type, values) in [(list, lists), (tuple, tuples), (map, maps)] {
            for index in 1..<values.count {
                let order: Int = ComparableForm(type).order(values[index - 1], values[index])
                #expect(order < 0, "\(type.cqlName) \(index)")
            }
        }
        let short: [UInt8] = CollectionValue.tuple([int(1)])
        let long: [UInt8] = CollectionValue.tuple([int(1), nil])
        #expect(compare(short.span.bytes, long.span.bytes, as: tuple) == 0)
    }
}
