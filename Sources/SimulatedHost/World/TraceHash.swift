/// A running digest of everything that happened in a world, in order: equal digests mean equal histories.
struct TraceHash {
    private(set) var value: UInt64

    init(seed: UInt64) {
        self.value = seed ^ 0xCBF2_9CE4_8422_2325
    }

    mutating func mix(_ number: UInt64) {
        let mixed: UInt64 = (value ^ number) &* 0x9E37_79B9_7F4A_7C15
        value = mixed ^ mixed >> 29
    }

    mutating func mix(_ number: Int) {
        mix(UInt64(truncatingIfNeeded: number))
    }

    mutating func mix(_ text: String) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        mix(hash)
    }
}
