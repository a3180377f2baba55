/// Why a sequence of bytes could not be decoded.
public enum DecodingError: Error, Equatable, Sendable {
    /// The input ended early. `missing` counts the bytes that were wanted past its end.
    case truncated(offset: Int, missing: Int)
    /// The stored checksum is not the checksum of the bytes it covers.
    case checksumMismatch(offset: Int, stored: UInt32, computed: UInt32)
    /// A length, count or tag at `offset` that no writer produces. `what` says which.
    case invalid(offset: Int, what: StaticString)

    public static func == (left: DecodingError, right: DecodingError) -> Bool {
        switch (left, right) {
        case (.truncated(let a, let b), .truncated(let c, let d)): a == c && b == d
        case (.checksumMismatch(let a, let b, let c), .checksumMismatch(let d, let e, let f)):
            a == d && b == e && c == f
        case (.invalid(let a, let b), .invalid(let c, let d)): a == c && b.description == d.description
        default: false
        }
    }
}
