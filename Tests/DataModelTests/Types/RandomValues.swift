import DataModel
import Primitives

/// Draws types and values of them, small and close together, so that equal and nearly equal ones are frequent.
struct RandomValues {
    var random: SeededGenerator
    /// Whether only the usual form of each value is drawn: shortest integers, whole tuples, one NaN.
    var isCanonical = false

    init(seed: UInt64) {
        self.random = SeededGenerator(seed: seed)
    }

    /// The scalar types that have an order.
    static let ordered: [CQLType] = CQLType.scalars.filter { $0 != .duration && $0 != .counter }

    /// - Parameter depth: how many types may be inside each other.
    mutating func type(depth: Int) -> CQLType {
        if depth == 0 || random.oneIn(2) { return Self.ordered[random.below(Self.ordered.count)] }
        switch random.below(6) {
        case 0: return .list(type(depth: depth - 1), isMultiCell: false)
        case 1: return .set(type(depth: depth - 1), isMultiCell: false)
        case 2: return .map(type(depth: depth - 1), type(depth: depth - 1), isMultiCell: false)
        case 3: return .vector(type(depth: depth - 1), dimension: 1 + random.below(3))
        case 4:
            return .tuple((0...random.below(3)).map { _ in type(depth: depth - 1) })
        default:
            let fields: [CQLType] = (0...random.below(3)).map { _ in type(depth: depth - 1) }
            let names: [String] = fields.indices.map { "field\($0)" }
            let made = UserDefinedType(keyspace: "ks", name: "kind", fieldNames: names, fieldTypes: fields)
            return .userDefined(made, isMultiCell: false)
        }
    }

    mutating func value(_ type: CQLType) -> [UInt8] {
        switch type {
        case .list(let element, _), .set(let element, _):
            return CollectionValue.list((0..<random.below(4)).map { _ in value(element) })
        case .map(let key, let value, _):
            var writer = ByteWriter()
            let count: Int = random.below(3)
            writer.write(Int32(count))
            for _ in 0..<count {
                writer.writeElement(self.value(key).span.bytes)
                writer.writeElement(self.value(value).span.bytes)
            }
            return writer.array()
        case .tuple(let fields): return tuple(fields)
        case .userDefined(let type, _): return tuple(type.fieldTypes)
        case .vector(let element, let dimension):
            var writer = ByteWriter()
            for _ in 0..<dimension {
                var part: [UInt8] = value(element)
                while let size = element.vectorElementByteCount, part.count != size { part = value(element) }
                writer.writeVectorElement(part.span.bytes, hasLength: element.vectorElementByteCount == nil)
            }
            return writer.array()
        default: return scalar(type)
        }
    }

    private mutating func tuple(_ fields: [CQLType]) -> [UInt8] {
        var parts: [[UInt8]?] = fields.map { random.oneIn(3) ? nil : value($0) }
        if !isCanonical, random.oneIn(3) { parts = Array(parts.prefix(random.below(parts.count + 1))) }
        return CollectionValue.tuple(parts)
    }

    private mutating func scalar(_ type: CQLType) -> [UInt8] {
        let width: Int = type.fixedByteCount ?? 0
        switch type {
        case .boolean: return [UInt8(random.below(2))]
        case .time:
            let limit = 86_400_000_000_000
            return big(UInt64([0, limit - 1, random.below(limit), random.below(3)][random.below(4)]))
        case .text, .ascii: return (0..<random.below(20)).map { _ in [0, 1, 0x61, 0x62, 0x7F][random.below(5)] }
        case .blob: return (0..<random.below(20)).map { _ in [0, 1, 0x61, 0xFE, 0xFF][random.below(5)] }
        case .inet: return random.oneIn(2) ? near(4) : near(16)
        case .uuid, .timeuuid:
            var bytes: [UInt8] = near(16)
            let version: UInt8 = type == .timeuuid ? 1 : [1, 4, 7][random.below(3)]
            bytes[6] = version << 4 | bytes[6] & 0x0F
            return bytes
        case .varint: return integer()
        case .decimal:
            let scale: Int32 = [0, 0, 1, 2, -1, -3, 5, Int32.max, Int32.min][random.below(9)]
            return big(UInt32(bitPattern: scale)) + integer()
        case .float:
            let bits: [UInt32] = [0, 0x8000_0000, 0x7FC0_0000, 0x7F80_0000, 0xFF80_0000, 1, 0x3F80_0000, 0xBF80_0000]
            if !isCanonical, random.oneIn(8) { return big(UInt32(0xFFC0_0001)) }
            return big(
                random.oneIn(3) ? UInt32(truncatingIfNeeded: random.next()) & 0xFF7F_FFFF : bits[random.below(8)])
        case .double:
            if !isCanonical, random.oneIn(8) { return big(UInt64(0x7FF0_0000_0000_0001)) }
            let special: [Double] = [0, -0.0, .infinity, -.infinity, 1, -1, 1e300, .nan]
            return big(special[random.below(8)].bitPattern)
        default:
            if type == .int || type == .bigint || type == .timestamp, random.oneIn(12) { return [] }
            return near(width)
        }
    }

    /// Bytes of which most are the same in every value.
    private mutating func near(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: random.oneIn(3) ? 0xFF : 0, count: count)
        if count > 0 {
            bytes[random.below(count)] = [0, 1, 0x7F, 0x80, 0xFF][random.below(5)]
            if random.oneIn(4) { bytes[random.below(count)] = UInt8(random.below(256)) }
        }
        return bytes
    }

    private mutating func integer() -> [UInt8] {
        if random.oneIn(3) { return (try? CQLType.varint.valueBytes(ofText: "\(random.below(2_000) - 1_000)")) ?? [0] }
        var bytes: [UInt8] = near(1 + random.below(random.oneIn(10) ? 200 : 12))
        if isCanonical {
            while bytes.count > 1, bytes[0] == 0 && bytes[1] < 0x80 || bytes[0] == 0xFF && bytes[1] >= 0x80 {
                bytes.removeFirst()
            }
        }
        return bytes
    }

    private func big(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) }
    }
}

/// What a call throws as `InvalidValue`; nil when it does not.
func refusal(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch let error as InvalidValue {
        return error.message
    } catch {
        return "\(error)"
    }
}
