package import Cluster
internal import DataModel
package import Primitives

/// A mutation that a replica missed, kept by the coordinator until the replica is back.
package struct Hint: Hashable, Sendable {
    /// When the write was made, in microseconds since 1970.
    package let createdMicroseconds: Int64
    /// `gc_grace_seconds` of the table at that time. A hint that is older could bring back what a tombstone has deleted
    /// and compaction has forgotten, so it is not delivered any more.
    package let graceSeconds: UInt32
    /// In the one encoding of mutations.
    package let mutation: [UInt8]

    /// The largest mutation that is kept: the commit log takes no larger one.
    package static let maximumMutationByteCount = 16 << 20

    package init(createdMicroseconds: Int64, graceSeconds: UInt32, mutation: [UInt8]) {
        self.createdMicroseconds = createdMicroseconds
        self.graceSeconds = graceSeconds
        self.mutation = mutation
    }

    /// The table that the mutation is of; nil when the bytes are too few for one.
    package var table: UUID? { UUID(mutation.span.bytes) }

    package func isExpired(atMicroseconds now: Int64) -> Bool {
        now &- createdMicroseconds > Int64(graceSeconds) &* 1_000_000
    }
}

/// Hints on their way to their replica, as one message.
///
///     batch  := format u8 (1) · target (16) · count u16 · hint*
///     hint   := created i64 · grace u32 · length u32 · mutation
///     answer := applied u32 · malformed u32
package struct HintBatch: Hashable, Sendable {
    package let target: NodeID
    package let hints: [Hint]

    private static let format: UInt8 = 1
    /// The most hints of a batch.
    package static let maximumCount = 4_096

    package init(target: NodeID, hints: [Hint]) {
        self.target = target
        self.hints = hints
    }

    package var bytes: [UInt8] {
        var writer = ByteWriter(capacity: hints.reduce(32) { $0 + 16 + $1.mutation.count })
        writer.write(HintBatch.format)
        writer.write(target.uuid.high)
        writer.write(target.uuid.low)
        writer.write(UInt16(truncatingIfNeeded: hints.count))
        for hint in hints {
            writer.write(hint.createdMicroseconds)
            writer.write(hint.graceSeconds)
            writer.write(UInt32(truncatingIfNeeded: hint.mutation.count))
            writer.write(hint.mutation)
        }
        return writer.array()
    }

    /// Reads a batch; nothing in it is trusted, the mutations themselves are not looked at.
    package init(_ bytes: [UInt8]) throws(DecodingError) {
        var reader = ByteReader(bytes.span.bytes)
        guard try reader.readUInt8() == HintBatch.format else {
            throw .invalid(offset: 0, what: "its format is unknown")
        }
        let high: UInt64 = try reader.readUInt64()
        self.target = NodeID(UUID(high: high, low: try reader.readUInt64()))
        let count = Int(try reader.readUInt16())
        guard count <= HintBatch.maximumCount else {
            throw .invalid(offset: reader.offset, what: "a count that is out of range")
        }
        var hints: [Hint] = []
        for _ in 0..<count {
            let created: Int64 = try reader.readInt64()
            let grace: UInt32 = try reader.readUInt32()
            let byteCount = Int(try reader.readUInt32())
            guard byteCount <= Hint.maximumMutationByteCount else {
                throw .invalid(offset: reader.offset, what: "a mutation that is too large")
            }
            let mutation: [UInt8] = try reader.readArray(byteCount)
            hints.append(Hint(createdMicroseconds: created, graceSeconds: grace, mutation: mutation))
        }
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes follow its end") }
        self.hints = hints
    }
}

/// The replica's side: takes batches of hints and gives them to whoever applies them.
package enum HintReceiver {
    package static let refusesWrongTarget: UInt16 = 1
    package static let refusesMalformed: UInt16 = 2
    package static let refusesForNow: UInt16 = 3

    /// Names the handler of hints.
    ///
    /// - Parameter apply: applies one hint and returns once that is as durable as a write. When it throws, the rest of the
    ///   batch is not applied and the whole batch comes again later; for what can never be applied, such as a mutation of
    ///   a table that is gone, it returns.
    /// - Parameter succession: keeps hints for other nodes; without it they are refused.
    package static func register(
        on messenger: any Messenger, local: NodeID, succession: HintSuccession? = nil,
        apply: @escaping @Sendable (NodeID, Hint) async throws -> Void
    ) {
        messenger.handle(.hint) { incoming in
            let batch: HintBatch
            do throws(DecodingError) {
                batch = try HintBatch(incoming.body)
            } catch {
                throw Refusal(code: refusesMalformed, reason: "\(error)")
            }
            guard batch.target == local || succession != nil else {
                throw Refusal(code: refusesWrongTarget, reason: "the hints are for \(batch.target)")
            }
            let sound: [Hint] = batch.hints.filter(isWellFormed)
            do {
                if batch.target == local {
                    for hint in sound { try await apply(incoming.sender, hint) }
                } else {
                    try await succession?.take(sound, for: batch.target)
                }
            } catch {
                throw Refusal(code: refusesForNow, reason: "\(error)")
            }
            var writer = ByteWriter(capacity: 8)
            writer.write(UInt32(truncatingIfNeeded: sound.count))
            writer.write(UInt32(truncatingIfNeeded: batch.hints.count - sound.count))
            return writer.array()
        }
    }

    /// Damage that a checksum did not show, or a mutation of a version that this node does not read: sending it again
    /// would not help.
    private static func isWellFormed(_ hint: Hint) -> Bool {
        do throws(DecodingError) {
            try MutationReader.validate(hint.mutation.span.bytes)
            return true
        } catch {
            return false
        }
    }
}
