private import CChecksums

/// Checksums of byte runs, by hardware instructions where the machine has them.
public enum Checksum {
    /// CRC-32C (Castagnoli), for files and internode messages. `seed` continues an earlier checksum.
    public static func crc32c(_ bytes: RawSpan, seed: UInt32 = 0) -> UInt32 {
        bytes.withUnsafeBytes { unsafe martlet_crc32c(seed, $0.baseAddress, $0.count) }
    }

    public static func crc32c(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        unsafe martlet_crc32c(seed, bytes.baseAddress, bytes.count)
    }

    /// CRC-32 (IEEE 802.3), as native-protocol v5 segments carry it. `seed` continues an earlier checksum.
    public static func crc32(_ bytes: RawSpan, seed: UInt32 = 0) -> UInt32 {
        bytes.withUnsafeBytes { unsafe martlet_crc32(seed, $0.baseAddress, $0.count) }
    }

    /// The table-driven versions, which tests hold the fast ones against.
    package static func portable(_ bytes: [UInt8]) -> (crc32c: UInt32, crc32: UInt32) {
        bytes.withUnsafeBytes {
            unsafe (
                martlet_crc32c_portable(0, $0.baseAddress, $0.count),
                martlet_crc32_portable(0, $0.baseAddress, $0.count)
            )
        }
    }
}
