/// A generator of numbers that follow from a seed: the same seed gives the same numbers on every machine.
///
/// xoshiro256** (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators"), its state filled by
/// SplitMix64, so that neighbouring seeds give unrelated numbers. Not for secrets.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var a: UInt64
    private var b: UInt64
    private var c: UInt64
    private var d: UInt64

    public init(seed: UInt64) {
        var filler = SplitMix64(state: seed)
        self.a = filler.next()
        self.b = filler.next()
        self.c = filler.next()
        self.d = filler.next()
    }

    public mutating func next() -> UInt64 {
        let product: UInt64 = b &* 5
        let result: UInt64 = (product << 7 | product >> 57) &* 9
        let shifted: UInt64 = b << 17
        c ^= a
        d ^= b
        b ^= c
        a ^= d
        c ^= shifted
        d = d << 45 | d >> 19
        return result
    }

    /// A number in `0 ..< bound`.
    public mutating func below(_ bound: Int) -> Int {
        require(bound > 0, "a bound is positive")
        return Int(truncatingIfNeeded: next(upperBound: UInt64(bound)))
    }

    /// True once in `count` times on average.
    public mutating func oneIn(_ count: Int) -> Bool {
        below(count) == 0
    }

    /// True with `probability`, from 0 (never) to 1 (always).
    public mutating func chance(_ probability: Double) -> Bool {
        if probability <= 0 { return false }
        if probability >= 1 { return true }
        return Double(next() >> 11) * 0x1p-53 < probability
    }

    /// `count` random bytes.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            var word: UInt64 = next()
            for _ in 0..<min(8, count - bytes.count) {
                bytes.append(UInt8(truncatingIfNeeded: word))
                word >>= 8
            }
        }
        return bytes
    }

    /// A generator of its own for one part of a world, so that what one part draws does not disturb the others.
    public mutating func split() -> SeededGenerator {
        SeededGenerator(seed: next())
    }
}

/// The generator that fills the state of others from a single number (Steele, Lea and Flood, "Fast Splittable
/// Pseudorandom Number Generators").
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(state: UInt64) {
        self.state = state
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed: UInt64 = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
