package import DataModel
internal import Primitives

/// Estimates how many different partitions some files have together, without reading them.
///
/// HyperLogLog (Flajolet, Fusy, Gandouet, Meunier) over tokens with 2,048 registers: about 2.3 % off. Sketches of
/// several files merge to the sketch of their union.
package struct KeySketch: Sendable, Equatable {
    static let registerCount: Int = 2_048

    /// Empty until the first token, so that a statistic that nobody fills costs nothing.
    private(set) var registers: [UInt8] = []

    package init() {}

    package mutating func insert(_ token: Token) {
        if registers.isEmpty { registers = [UInt8](repeating: 0, count: KeySketch.registerCount) }
        // The tokens of a file come from a part of the ring, so their high bits are not random; a mix makes them so.
        var bits: UInt64 = token.ordinal &* 0xFF51_AFD7_ED55_8CCD
        bits ^= bits >> 33
        bits = bits &* 0xC4CE_B9FE_1A85_EC53
        bits ^= bits >> 33
        let index = Int(truncatingIfNeeded: bits >> 53)
        let rank = UInt8(truncatingIfNeeded: (bits << 11 | 1 << 10).leadingZeroBitCount + 1)
        if registers[index] < rank { registers[index] = rank }
    }

    package mutating func merge(_ other: KeySketch) {
        guard !other.registers.isEmpty else { return }
        if registers.isEmpty {
            registers = other.registers
            return
        }
        for index in registers.indices { registers[index] = max(registers[index], other.registers[index]) }
    }

    /// About how many different tokens were inserted.
    package var estimate: Int {
        guard !registers.isEmpty else { return 0 }
        var sum: Double = 0
        var zeros = 0
        for register in registers {
            sum += 1 / Double(UInt64(1) << UInt64(min(63, register)))
            if register == 0 { zeros += 1 }
        }
        let count = Double(KeySketch.registerCount)
        let raw: Double = 0.7213 / (1 + 1.079 / count) * count * count / sum
        if raw <= 2.5 * count, zeros > 0 { return Int((count * naturalLogarithm(count / Double(zeros))).rounded()) }
        return Int(raw.rounded())
    }

    func write(to writer: inout ByteWriter) {
        writer.writeLength(registers.count)
        writer.write(registers)
    }

    init(from reader: inout ByteReader) throws(DecodingError) {
        let count: Int = try reader.readLength()
        guard count == 0 || count == KeySketch.registerCount else {
            throw .invalid(offset: reader.offset, what: "a key sketch of another size")
        }
        self.registers = try reader.readArray(count)
    }
}

/// The natural logarithm of a positive number, to about 12 digits, without a mathematics library.
func naturalLogarithm(_ value: Double) -> Double {
    guard value > 0 else { return 0 }
    // ln x = exponent · ln 2 + 2 · artanh((m − 1) / (m + 1)) with 1 ≤ m < 2.
    let ratio: Double = (value.significand - 1) / (value.significand + 1)
    var term: Double = ratio
    var sum: Double = 0
    var odd: Double = 1
    while term > 1e-14 {
        sum += term / odd
        term *= ratio * ratio
        odd += 2
    }
    return Double(value.exponent) * 0.693_147_180_559_945_3 + 2 * sum
}
