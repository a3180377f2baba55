package import Cluster
package import Primitives

/// What nodes ask each other for a change of the ring.
///
///     ringBarrier   phase 1 (1 settle, 2 seal) │ epoch 8            answered by nothing
///     ringPull      change 16                                       answered by a reception
///     ringArrival   change 16                                       answered by nothing
///     reception     state 1 │ held: count, (after 8, through 8) each │ words: length, UTF-8
package enum RingMessages {
    package enum Phase: UInt8, Sendable {
        /// Work by the placement of the epoch, and end what was planned before.
        case settle = 1
        /// Refuse what was planned before.
        case seal = 2
    }

    /// The node does not work by the placement yet.
    package static let refusesUnsettled: UInt16 = 1
    package static let refusesMalformed: UInt16 = 2
    /// The node does not know the change, or has no part in it.
    package static let refusesUnknown: UInt16 = 3

    /// Far more than a ring is cut into.
    private static let maximumRangeCount = 1 << 18
    private static let maximumWordByteCount = 4_096

    package static func encode(_ phase: Phase, _ epoch: UInt64) -> [UInt8] {
        var writer = ByteWriter(capacity: 9)
        writer.write(phase.rawValue)
        writer.write(epoch)
        return writer.array()
    }

    package static func decodeBarrier(_ body: [UInt8]) throws(DecodingError) -> (phase: Phase, epoch: UInt64) {
        let span: RawSpan = body.span.bytes
        var reader = ByteReader(span)
        guard let phase = Phase(rawValue: try reader.readUInt8()) else {
            throw .invalid(offset: 0, what: "an unknown phase of a barrier")
        }
        let epoch: UInt64 = try reader.readUInt64()
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes after the end") }
        return (phase, epoch)
    }

    package static func encode(_ reception: RangeReception) -> [UInt8] {
        var writer = ByteWriter(capacity: 256)
        writer.write(reception.state.rawValue)
        writer.write(reception.held)
        let words: [UInt8] = Array(reception.words.utf8.prefix(maximumWordByteCount))
        writer.writeLength(words.count)
        writer.write(words)
        return writer.array()
    }

    package static func decodeReception(_ body: [UInt8]) throws(DecodingError) -> RangeReception {
        let span: RawSpan = body.span.bytes
        var reader = ByteReader(span)
        guard let state = RangeReception.State(rawValue: try reader.readUInt8()) else {
            throw .invalid(offset: 0, what: "an unknown state of a reception")
        }
        let held: RangeSet = try reader.readRangeSet(limit: maximumRangeCount)
        let count: Int = try reader.readLength()
        guard count <= maximumWordByteCount else { throw .invalid(offset: reader.offset, what: "too many words") }
        let words = String(decoding: try reader.readArray(count), as: UTF8.self)
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes after the end") }
        return RangeReception(state: state, held: held, words: words)
    }
}

/// How far a node is with what it fetches for a change of the ring.
package struct RangeReception: Sendable, Hashable {
    package enum State: UInt8, Sendable {
        case running = 1
        /// It waits, for what the words say, and tries again.
        case waiting = 2
        /// It has everything.
        case done = 3
    }

    package var state: State
    /// The tokens of which it has everything that it needs.
    package var held: RangeSet
    package var words: String

    package init(state: State, held: RangeSet, words: String) {
        self.state = state
        self.held = held
        self.words = words
    }
}
