/// Finds the keyword that a word spells, whatever the case of its letters.
///
/// Hot: asked once per word of every statement that is parsed. Words are compared as two integers that hold their
/// first 16 bytes in lower case; no keyword is longer.
struct KeywordTable {
    static let shared = KeywordTable()
    static let maximumByteCount = 16

    private static let slotCount = 1024
    private static let oldSpellings: [(String, Keyword)] = [("columnfamily", .table), ("columnfamilies", .tables)]

    private var entries: [Entry] = []
    /// An index into `entries` plus one; zero is empty. Collisions go to the next slot.
    private var slots = [UInt8](repeating: 0, count: KeywordTable.slotCount)

    private struct Entry {
        let spelling: Spelling
        let keyword: Keyword
    }

    /// A word of at most 16 bytes, in lower case.
    struct Spelling: Equatable {
        var low: UInt64 = 0
        var high: UInt64 = 0

        /// Sets the byte at `index`, which must be below 16.
        @inline(__always)
        mutating func set(_ byte: UInt8, at index: Int) {
            let shift = UInt64(index & 7) &* 8
            if index < 8 { low |= UInt64(byte) &<< shift } else { high |= UInt64(byte) &<< shift }
        }

        @inline(__always)
        var slot: Int {
            let mixed = low &* 0x9E37_79B9_7F4A_7C15 ^ high &* 0xC2B2_AE3D_27D4_EB4F
            return Int(truncatingIfNeeded: mixed >> 54)
        }
    }

    private init() {
        for keyword in Keyword.allCases { insert(keyword.rawValue, keyword) }
        for (word, keyword) in KeywordTable.oldSpellings { insert(word, keyword) }
    }

    func keyword(_ spelling: Spelling) -> Keyword? {
        var slot = spelling.slot
        while slots[slot] != 0 {
            let entry = entries[Int(slots[slot]) - 1]
            if entry.spelling == spelling { return entry.keyword }
            slot = (slot + 1) & (KeywordTable.slotCount - 1)
        }
        return nil
    }

    private mutating func insert(_ word: String, _ keyword: Keyword) {
        var spelling = Spelling()
        for (index, byte) in word.utf8.enumerated() { spelling.set(byte, at: index) }
        var slot = spelling.slot
        while slots[slot] != 0 { slot = (slot + 1) & (KeywordTable.slotCount - 1) }
        entries.append(Entry(spelling: spelling, keyword: keyword))
        slots[slot] = UInt8(entries.count)
    }
}
