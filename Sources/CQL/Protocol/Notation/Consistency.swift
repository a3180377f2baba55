public import DataModel

extension Consistency {
    /// The level with a wire code.
    @inlinable
    public init(code: UInt16) throws(ProtocolError) {
        guard let level = Consistency(rawValue: code) else { throw Consistency.unknown(code) }
        self = level
    }

    @inline(never)
    @usableFromInline
    static func unknown(_ code: UInt16) -> ProtocolError {
        ProtocolError("Unknown code \(code) for a consistency level")
    }
}
