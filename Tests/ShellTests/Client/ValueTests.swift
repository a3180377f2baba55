import CQL
import DataModel
import MartletClient
import Primitives
import Testing

@Suite struct ValueTests {
    private func bytes(_ value: any CQLEncodable, _ type: CQLType?) throws -> [UInt8] {
        guard case .bytes(let bytes) = try value.boundValue(as: type) else { return [] }
        return bytes
    }

    private func roundTrip<Value: CQLValue & Equatable>(_ value: Value, _ type: CQLType) throws -> Bool {
        let encoded: [UInt8] = try bytes(value, type)
        return try Value(cqlBytes: encoded.span.bytes, type: type) == value
    }

    @Test func valuesComeBackAsTheyWere() throws {
        let list: CQLType = .list(.text, isMultiCell: false)
        #expect(try roundTrip(Int8.min, .tinyint))
        #expect(try roundTrip(Int.max, .bigint))
        #expect(try roundTrip(Int.min, .varint))
        #expect(try roundTrip(-1.5, .double))
        #expect(try roundTrip(Float(0.1), .float))
        #expect(try roundTrip(true, .boolean))
        #expect(try roundTrip("ü", .text))
        #expect(try roundTrip("12.50", .decimal))
        #expect(try roundTrip(UUID(high: 1, low: 2), .uuid))
        #expect(try roundTrip([UInt8]([0, 255]), .blob))
        #expect(try roundTrip(["b", "a", "b"], list))
        #expect(try roundTrip(Set([3, 1, 2]), .set(.int, isMultiCell: false)))
        #expect(try roundTrip(["k": [1, 2]], .map(.text, .list(.int, isMultiCell: false), isMultiCell: false)))
        #expect(try roundTrip([Float(1), 2, 3], .vector(.float, dimension: 3)))
    }

    @Test func withoutAKnownTypeSwiftTypesDecide() throws {
        #expect(try bytes(Int32(1), nil) == [0, 0, 0, 1])
        #expect(try bytes(1, nil).count == 8)
        #expect(try bytes("a", nil) == [0x61])
        #expect(try bytes([UInt8]([9]), nil) == [9])
        #expect(try Unset().boundValue(as: .int) == .unset)
    }

    @Test func damagedBytesAreErrors() {
        let short: [UInt8] = [0, 0, 0]
        let lyingList: [UInt8] = [0x7F, 0xFF, 0xFF, 0xFF]
        #expect(throws: ClientError.self) { try Int(cqlBytes: short.span.bytes, type: .int) }
        #expect(throws: ClientError.self) { try UUID(cqlBytes: short.span.bytes, type: .uuid) }
        #expect(throws: ClientError.self) {
            try [Int](cqlBytes: lyingList.span.bytes, type: .list(.int, isMultiCell: false))
        }
        #expect(throws: ClientError.self) { try Bool(cqlBytes: short.span.bytes, type: .int) }
        #expect(throws: ClientError.self) { try [1, 2].boundValue(as: .vector(.int, dimension: 3)) }
    }
}
