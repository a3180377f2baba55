internal import CQL

/// Checks the options that only the unified compaction strategy has.
struct UnifiedCompactionCheck {
    private static let minimumTargetByteCount: Double = 1_048_576
    private static let defaultTargetByteCount: Double = 1_073_741_824

    let options: [String: String]

    /// Takes the options that it knows out of `unknown`.
    func check(_ unknown: inout Set<String>) throws(CQLError) {
        for parameter in (options["scaling_parameters"] ?? "T4").split(separator: ",", omittingEmptySubsequences: false)
        {
            try checkScaling(trimmed(parameter))
        }
        try checkCounts()
        let target = try targetByteCount()
        if let text = options["flush_size_override"] { _ = try size("flush_size_override", text) }
        try checkSwitches()
        try checkMinimumSize(target: target)
        try checkGrowth()
        unknown.subtract([
            "scaling_parameters", "base_shard_count", "target_sstable_size", "flush_size_override",
            "max_sstables_to_compact", "expired_sstable_check_frequency_seconds",
            "unsafe_aggressive_sstable_expiration", "overlap_inclusion_method", "min_sstable_size", "sstable_growth",
        ])
    }

    /// `N`, `L` and a number from 2, `T` and a number from 2, or an integer.
    private func checkScaling(_ text: String) throws(CQLError) {
        if text == "N" { return }
        if let first = text.first, first == "L" || first == "T", let value = UInt32(text.dropFirst()) {
            guard value >= 2 else {
                throw .configError(message: "Fan factor cannot be lower than 2 in \(text)")
            }
            return
        }
        guard Int32(text) != nil else {
            throw .configError(message: "Scaling parameter \(text) must match N|L[0-9]+|T[0-9]+|[+-]?[0-9]+")
        }
    }

    private func checkCounts() throws(CQLError) {
        if let text = options["base_shard_count"] {
            guard let value = Int32(text) else { throw CompactionOptions.notANumber(text, "base_shard_count") }
            guard value > 0 else {
                throw .configError(message: "Invalid configuration, base_shard_count should be positive: \(value)")
            }
        }
        if let text = options["max_sstables_to_compact"], Int32(text) == nil {
            throw CompactionOptions.notANumber(text, "max_sstables_to_compact")
        }
        let frequencyName = "expired_sstable_check_frequency_seconds"
        if let text = options[frequencyName] {
            guard let value = Int64(text) else {
                throw .configError(message: "\(text) is not a parsable long (base10) for \(frequencyName)")
            }
            guard value > 0 else {
                throw .configError(message: "Invalid configuration, \(frequencyName) should be positive: \(value)")
            }
        }
    }

    private func targetByteCount() throws(CQLError) -> Double {
        guard let text = options["target_sstable_size"] else { return UnifiedCompactionCheck.defaultTargetByteCount }
        return try size("target_sstable_size", text)
    }

    /// A size of at least 1 MiB.
    private func size(_ name: String, _ text: String) throws(CQLError) -> Double {
        guard let value = ByteSizeText.parse(text) else {
            let reason = text.hasSuffix("B") ? "null" : "\(text) does not end in unit B"
            throw .configError(message: "\(name) \(text) is not a valid size in bytes: \(reason)")
        }
        guard value >= UnifiedCompactionCheck.minimumTargetByteCount else {
            throw .configError(message: "\(name) \(text) is not acceptable, size must be at least 1.000MiB")
        }
        return value
    }

    private func checkSwitches() throws(CQLError) {
        let name = "unsafe_aggressive_sstable_expiration"
        if let text = options[name], !CompactionOptions.isBool(text) {
            throw .configError(message: "\(name) should either be 'true' or 'false', not \(text)")
        }
        if let text = options["overlap_inclusion_method"],
            !["NONE", "SINGLE", "TRANSITIVE"].contains(text.uppercased())
        {
            throw .configError(
                message: "Invalid overlap inclusion method \(text). "
                    + "The valid options are [NONE, SINGLE, TRANSITIVE].")
        }
    }

    private func checkMinimumSize(target: Double) throws(CQLError) {
        guard let text = options["min_sstable_size"] else { return }
        guard let value = ByteSizeText.parse(text) else {
            throw .configError(message: "\(text) is not a valid size in bytes for min_sstable_size")
        }
        guard value >= 0 else {
            throw .configError(
                message: "Invalid configuration, min_sstable_size should be greater than or equal to 0 (zero)")
        }
        let limit: Double = min((target * 0.5.squareRoot()).rounded(.up), Double(Int32.max))
        guard value < limit else {
            throw .configError(
                message: "Invalid configuration, min_sstable_size (\(ByteSizeText.print(value))) should be less than "
                    + "the target size minimum: \(ByteSizeText.print(limit))")
        }
    }

    private func checkGrowth() throws(CQLError) {
        guard let text = options["sstable_growth"] else { return }
        var number: String = trimmed(text[...])
        var divisor: Double = 1
        if number.hasSuffix("%") {
            number = trimmed(number.dropLast())
            divisor = 100
        }
        guard let value = Double(number) else {
            throw .configError(
                message: "sstable_growth is not a valid number between 0 and 1: For input string: \"\(number)\"")
        }
        guard value / divisor >= 0, value / divisor <= 1 else {
            throw .configError(message: "sstable_growth \(text) must be between 0 and 1")
        }
    }

    private func trimmed(_ text: Substring) -> String {
        var text: Substring = text.drop { $0.isWhitespace }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}

/// Sizes as people write them: `100MiB`, `1 GB`, `2048B`.
enum ByteSizeText {
    private static let prefixes: [Character] = Array("KMGTPEZY")

    /// The number of bytes; nil unless the text is a number, perhaps a prefix, and `B`.
    static func parse(_ text: String) -> Double? {
        guard text.hasSuffix("B") else { return nil }
        var body: Substring = text.dropLast()
        var factor: Double = 1
        let isBinary: Bool = body.hasSuffix("i")
        if isBinary { body.removeLast() }
        if let last = body.last, let index = prefixes.firstIndex(of: last == "k" ? "K" : last) {
            body.removeLast()
            for _ in 0...index { factor *= isBinary ? 1024 : 1000 }
        } else if isBinary {
            return nil
        }
        while let last = body.last, last.isWhitespace { body.removeLast() }
        guard let number = Double(body), !number.isNaN else { return nil }
        return (number * factor).rounded(.towardZero)
    }

    /// `1.000MiB`.
    static func print(_ byteCount: Double) -> String {
        var value: Double = byteCount
        var index = -1
        while value.magnitude >= 1024, index < prefixes.count - 1 {
            value /= 1024
            index += 1
        }
        return index < 0 ? "\(Int64(value))B" : "\(JavaText.thousandths(value))\(prefixes[index])iB"
    }
}
