public import Primitives

/// Who a node is: its host id, given at its first start and kept for its life, whatever its address becomes.
public struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let uuid: UUID

    @inlinable
    public init(_ uuid: UUID) {
        self.uuid = uuid
    }

    /// Nobody's: stands for a node that is not known yet.
    public static let none = NodeID(UUID(high: 0, low: 0))

    @inlinable
    public static func < (left: NodeID, right: NodeID) -> Bool {
        (left.uuid.high, left.uuid.low) < (right.uuid.high, right.uuid.low)
    }

    public var description: String { uuid.description }
}
