package import DataModel
package import Primitives

/// One change of the ring on its way: whose tokens change, who brings it to its end, and how far it has come.
///
/// It is part of the cluster's metadata from its beginning to its end, so every node knows it, it survives every node,
/// and whoever drives it may be another one later. For each token whose replicas it changes there are three steps:
///
///     start         the replicas of before own the token; those that come get every write too
///     handed over   the replicas of after own it; those that go still get every write, and reads of more than one
///                   replica ask them too
///     ended         the replicas of after alone
///
/// Majorities of neighbouring steps always meet, those of steps further apart need not: nobody may work by a step while
/// others already work by the one after the next.
package struct RingChange: Hashable, Sendable {
    package enum Kind: UInt8, Sendable, CaseIterable {
        /// A new node comes.
        case join = 1
        /// A new node takes the place of a dead one.
        case replace = 2
        /// A node goes, and hands over what it has.
        case leave = 3
        /// A dead node is taken out.
        case remove = 4
        /// A node takes other tokens.
        case move = 5
    }

    package var id: UUID
    package var kind: Kind
    /// The node whose tokens change.
    package var node: NodeID
    /// Its tokens afterwards, ascending; none when it goes.
    package var tokens: [Token]
    /// The dead node whose place it takes, for `.replace`.
    package var replaced: NodeID?
    /// Who brings the change to its end.
    package var driver: NodeID
    /// The tokens that those who come own already.
    package var handedOver = RangeSet()
    /// The epochs in which it began and in which it last took a step.
    package var beganEpoch: UInt64
    package var stepEpoch: UInt64
    /// Whether it is being taken back.
    package var isAborting = false
    /// Whether it takes the data that is there where too few of those are up that have it.
    package var isForced = false
    /// Whether nobody fetches anything: who comes to own tokens has them without data.
    package var isWithoutData = false

    package init(
        id: UUID, kind: Kind, node: NodeID, tokens: [Token], replaced: NodeID? = nil, driver: NodeID,
        beganEpoch: UInt64 = 0
    ) {
        self.id = id
        self.kind = kind
        self.node = node
        self.tokens = tokens
        self.replaced = replaced
        self.driver = driver
        self.beganEpoch = beganEpoch
        self.stepEpoch = beganEpoch
    }

    /// The node that is dead for good if the change succeeds: it answers nothing any more, and nobody waits for it.
    package var dead: NodeID? {
        switch kind {
        case .replace: replaced
        case .remove: node
        case .join, .leave, .move: nil
        }
    }

    /// The state of the node while the change is under way.
    package var memberState: MemberState {
        switch kind {
        case .join, .replace: .joining
        case .leave, .remove: .leaving
        case .move: .moving
        }
    }
}

/// The binary form of a change of the ring.
///
///     id 16 │ kind 1 │ flags 1 │ node 16 │ replaced 16, zeros for none │ driver 16 │ began 8 │ step 8
///     │ tokens: count, 8 each │ handed over: count, (after 8, through 8) each
///     flags: 1 aborting, 2 forced, 4 without data
enum RingChangeCodec {
    /// Far more than any ring is cut into.
    static let maximumRangeCount = 1 << 18

    static func encode(_ change: RingChange) -> [UInt8] {
        var writer = ByteWriter(capacity: 256)
        writer.write(change.id.bytes)
        writer.write(change.kind.rawValue)
        let flags: UInt8 = (change.isAborting ? 1 : 0) | (change.isForced ? 2 : 0) | (change.isWithoutData ? 4 : 0)
        writer.write(flags)
        writer.write(change.node.uuid.bytes)
        writer.write((change.replaced ?? .none).uuid.bytes)
        writer.write(change.driver.uuid.bytes)
        writer.write(change.beganEpoch)
        writer.write(change.stepEpoch)
        writer.writeLength(change.tokens.count)
        for token in change.tokens { writer.write(token.value) }
        writer.write(change.handedOver)
        return writer.array()
    }

    static func decode(_ bytes: [UInt8]) throws(DecodingError) -> RingChange {
        let span: RawSpan = bytes.span.bytes
        var reader = ByteReader(span)
        let id: UUID = try reader.readUUID()
        guard let kind = RingChange.Kind(rawValue: try reader.readUInt8()) else {
            throw .invalid(offset: reader.offset, what: "an unknown kind of change of the ring")
        }
        let flags: UInt8 = try reader.readUInt8()
        guard flags & ~7 == 0 else { throw .invalid(offset: reader.offset, what: "unknown flags of a change") }
        let node = NodeID(try reader.readUUID())
        let replaced = NodeID(try reader.readUUID())
        guard (kind == .replace) == (replaced != .none), node != replaced else {
            throw .invalid(offset: reader.offset, what: "a change that replaces what it cannot")
        }
        let driver = NodeID(try reader.readUUID())
        let began: UInt64 = try reader.readUInt64()
        let step: UInt64 = try reader.readUInt64()
        let count: Int = try reader.readCount(ofAtLeast: 8, limit: LocalNode.maximumTokenCount)
        var tokens: [Token] = []
        for _ in 0..<count {
            let token = Token(try reader.readInt64())
            guard token != .minimum, tokens.last.map({ $0 < token }) ?? true else {
                throw .invalid(offset: reader.offset, what: "tokens out of order")
            }
            tokens.append(token)
        }
        var change = RingChange(
            id: id, kind: kind, node: node, tokens: tokens, replaced: kind == .replace ? replaced : nil,
            driver: driver, beganEpoch: began)
        change.stepEpoch = step
        change.isAborting = flags & 1 != 0
        change.isForced = flags & 2 != 0
        change.isWithoutData = flags & 4 != 0
        change.handedOver = try reader.readRangeSet(limit: maximumRangeCount)
        try reader.end()
        return change
    }
}

extension ByteWriter {
    /// The ranges of a set: a count, then where each starts and ends.
    package mutating func write(_ set: RangeSet) {
        let ranges: [RingRange] = set.ranges
        writeLength(ranges.count)
        for range in ranges {
            write(range.start.value)
            write(range.end.value)
        }
    }
}

extension ByteReader {
    /// What `write(_: RangeSet)` wrote, of at most `limit` ranges.
    package mutating func readRangeSet(limit: Int) throws(DecodingError) -> RangeSet {
        let count: Int = try readCount(ofAtLeast: 16, limit: limit)
        var ranges: [RingRange] = []
        ranges.reserveCapacity(count)
        for _ in 0..<count {
            let start = Token(try readInt64())
            ranges.append(RingRange(after: start, through: Token(try readInt64())))
        }
        let set = RangeSet(ranges)
        guard set.ranges == ranges else { throw .invalid(offset: offset, what: "ranges out of order") }
        return set
    }
}
