import Environment

/// The host's randomness, for the shuffles of the standard library.
struct EntropyGenerator: RandomNumberGenerator {
    private let entropy: any Entropy

    init(_ entropy: any Entropy) {
        self.entropy = entropy
    }

    mutating func next() -> UInt64 { entropy.next() }
}
