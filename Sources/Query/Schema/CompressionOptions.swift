internal import CQL

/// The `compression` option of a table: checked, and in the form that is kept.
enum CompressionOptions {
    private static let package = "org.apache.cassandra.io.compress."
    private static let defaultChunkKibibytes: Int32 = 16

    /// The options that each compressor knows beyond those of all.
    private static let compressors: [String: Set<String>] = [
        "LZ4Compressor": ["lz4_compressor_type", "lz4_high_compressor_level"],
        "SnappyCompressor": [], "DeflateCompressor": [], "NoopCompressor": [],
        "ZstdCompressor": ["compression_level"],
    ]

    /// What users wrote, with the full class name and the defaults; `{'enabled': 'false'}` for no compression.
    static func normalized(_ map: [String: String]) throws(CQLError) -> [String: String] {
        var options = map
        let isEnabled: Bool = map["enabled"].map { $0.lowercased() == "true" } ?? true
        options["enabled"] = nil
        if !map.isEmpty, isEnabled, map["class"] == nil {
            throw .configError(message: "Missing sub-option 'class' for the 'compression' option.")
        }
        if !isEnabled, !options.isEmpty {
            throw .configError(
                message: "If the 'enabled' option is set to false no other options must be specified")
        }
        guard let writtenName = options.removeValue(forKey: "class") else { return ["enabled": "false"] }
        guard !writtenName.isEmpty else {
            throw .configError(
                message: "The 'class' option must not be empty. To disable compression use 'enabled' : false")
        }
        let chunkKibibytes = try chunkLength(options.removeValue(forKey: "chunk_length_in_kb"))
        let ratio = try minimumRatio(options.removeValue(forKey: "min_compress_ratio"))
        let className: String = writtenName.contains(".") ? writtenName : package + writtenName
        guard className.hasPrefix(package), let known = compressors[String(className.dropFirst(package.count))] else {
            throw .configError(message: "Could not create Compression for type \(className)")
        }
        try checkCompressor(options)
        for name in options.keys.sorted() where !known.contains(name) {
            throw .configError(message: "Unknown compression options \(name)")
        }
        options["class"] = className
        options["chunk_length_in_kb"] = String(chunkKibibytes)
        if ratio != 0 { options["min_compress_ratio"] = JavaText.double(ratio) }
        return options
    }

    private static func chunkLength(_ text: String?) throws(CQLError) -> Int32 {
        guard let text else { return defaultChunkKibibytes }
        guard let kibibytes = Int32(text) else {
            throw .configError(message: "Invalid value for chunk_length_in_kb")
        }
        guard kibibytes <= Int32.max / 1024 else {
            throw .configError(message: "Value of chunk_length_in_kb is too large (\(kibibytes))")
        }
        guard kibibytes > 0 else { throw .configError(message: "Invalid negative or null chunk_length_in_kb") }
        guard kibibytes.nonzeroBitCount == 1 else {
            throw .configError(message: "chunk_length_in_kb must be a power of 2")
        }
        return kibibytes
    }

    private static func minimumRatio(_ text: String?) throws(CQLError) -> Double {
        guard let text else { return 0 }
        guard let ratio = Double(text), !ratio.isNaN else {
            throw .configError(message: "Invalid value for min_compress_ratio")
        }
        if ratio < 0 { throw .configError(message: "Invalid negative min_compress_ratio") }
        guard ratio == 0 || ratio >= 1 else {
            throw .configError(message: "min_compress_ratio can either be 0 or greater than or equal to 1")
        }
        return ratio
    }

    private static func checkCompressor(_ options: [String: String]) throws(CQLError) {
        if let type = options["lz4_compressor_type"], type != "fast", type != "high" {
            throw .configError(
                message: "Invalid compressor type '\(type)' specified for LZ4 parameter 'lz4_compressor_type'. "
                    + "Valid options are [fast, high].")
        }
        if let text = options["lz4_high_compressor_level"] {
            guard let level = Int32(text), level >= 1, level <= 17 else {
                throw .configError(
                    message: "Invalid value [\(text)] for parameter 'lz4_high_compressor_level'. "
                        + "Value must be between 1 and 17.")
            }
        }
        if let text = options["compression_level"] {
            guard let level = Int32(text), level >= -131_072, level <= 22 else {
                throw .configError(message: "compression_level=\(text) is invalid")
            }
        }
    }
}
