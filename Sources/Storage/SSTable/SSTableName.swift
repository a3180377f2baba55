/// The names of SSTables in the folder of their table.
package enum SSTableName {
    /// The name of a finished file.
    package static func file(_ generation: UInt64) -> String { "\(generation).sst" }

    /// The name under which a file is written.
    package static func temporary(_ generation: UInt64) -> String { "\(generation).sst.tmp" }

    /// The generation of a finished file's name; nil for other names.
    package static func generation(of name: String) -> UInt64? {
        guard name.hasSuffix(".sst") else { return nil }
        let digits: Substring = name.dropLast(4)
        guard let generation = UInt64(digits), String(generation) == digits else { return nil }
        return generation
    }

    /// Whether a name is of a file that was never finished.
    package static func isTemporary(_ name: String) -> Bool { name.hasSuffix(".sst.tmp") }
}
