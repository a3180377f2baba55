import Cluster
import DataModel
import Primitives
import Testing

/// What all nodes agree on, and how it changes.
@Suite struct ClusterMetadataTests {
    private let id = UUID(high: 3, low: 4)

    private func rich() -> ClusterMetadata {
        var value: ClusterMetadata = metadata(5, voters: [1, 3, 5])
        var schema = Schema()
        schema.keyspaces["one"] = richKeyspace("one")
        schema.keyspaces["two"] = richKeyspace("two")
        schema.keyspaces["own"] = KeyspaceDefinition(
            name: "own", replication: ["class": "org.apache.cassandra.locator.LocalStrategy"])
        value.set(schema)
        return value
    }

    @Test func keyspacesOfEachNodeAloneAreNeverShared() {
        #expect(rich().schema.keyspaces.keys.sorted() == ["one", "two"])
    }

    @Test func aValueComesBackFromItsBytes() throws {
        for value in [metadata(1), rich()] {
            let decoded = try MetadataCodec.decodeMetadata(MetadataCodec.encode(value))
            #expect(decoded == value)
        }
    }

    @Test func anEditLeadsFromOneValueToTheOther() throws {
        let before: ClusterMetadata = rich()
        var schema: Schema = before.schema
        schema.keyspaces["two"] = nil
        schema.keyspaces["one"]?.tables["t"]?.options.comment = "new"
        schema.keyspaces["three"] = richKeyspace("three")
        var after: ClusterMetadata = before
        after.set(schema)
        var gone: Member = member(2, tokens: [2])
        gone.state = .left
        after.set(gone)
        after.set(member(9, "dc2", tokens: [9]))
        after.voters = [node(1), node(9)]
        let edit = MetadataEdit(from: before, to: after, id: id)
        let decoded = try MetadataCodec.decodeEdit(MetadataCodec.encode(edit))
        #expect(decoded == edit)
        let reached = try before.applying(decoded)
        after.epoch = before.epoch + 1
        #expect(reached == after)
        #expect(reached.schema.epoch == 2)
        #expect(reached.schema.version == SchemaCodec.contentVersion(of: after.schema))
        #expect(reached.member(node(2))?.state == .left)
        #expect(edit.changes.map(\.key) == edit.changes.map(\.key).sorted())
        #expect(!edit.changes.contains { $0.key == "keyspace/one" || $0.key.hasPrefix("type/one") })
    }

    @Test func aChangedTypeIsChangedWhereverItIsHeld() throws {
        let before: ClusterMetadata = rich()
        var schema: Schema = before.schema
        let inner = UserDefinedType(
            keyspace: "one", name: "z_inner", fieldNames: ["a", "added"], fieldTypes: [.int, .text])
        let outer = try #require(schema.keyspaces["one"]?.types["a_outer"]).replacingUserType(inner)
        schema.keyspaces["one"]?.types = ["z_inner": inner, "a_outer": outer]
        let table = try #require(schema.keyspaces["one"]?.tables["t"])
        schema.keyspaces["one"]?.tables["t"] = table.replacingColumns(
            table.columns.map { column in
                var column: ColumnDefinition = column
                column.type = column.type.replacingUserType(inner)
                return column
            })
        var after: ClusterMetadata = before
        after.set(schema)
        let edit = MetadataEdit(from: before, to: after, id: id)
        #expect(edit.changes.map(\.key) == ["schema", "type/one/z_inner"])
        let reached = try before.applying(edit)
        #expect(reached.schema == after.schema)
    }

    @Test func nothingChangedIsAnEmptyEdit() {
        let before: ClusterMetadata = rich()
        var after: ClusterMetadata = before
        after.set(before.schema)
        #expect(MetadataEdit(from: before, to: after, id: id).isEmpty)
        #expect(after == before)
    }

    @Test func anEditFitsOneEpochOnly() {
        let before: ClusterMetadata = rich()
        let edit = MetadataEdit(from: before, to: metadata(2), id: id)
        var later: ClusterMetadata = before
        later.epoch += 1
        #expect(throws: DecodingError.self) { try later.applying(edit) }
    }

    @Test func everyDamagedByteIsNoticed() {
        let before: ClusterMetadata = rich()
        let snapshot: [UInt8] = MetadataCodec.encode(before)
        let edit: [UInt8] = MetadataCodec.encode(MetadataEdit(from: before, to: metadata(3), id: id))
        for index in snapshot.indices {
            var damaged: [UInt8] = snapshot
            damaged[index] ^= 0x10
            #expect(throws: DecodingError.self) { try MetadataCodec.decodeMetadata(damaged) }
        }
        for index in edit.indices {
            var damaged: [UInt8] = edit
            damaged[index] ^= 0x01
            #expect(throws: DecodingError.self) { try MetadataCodec.decodeEdit(damaged) }
        }
        for count in 0..<edit.count {
            #expect(throws: DecodingError.self) { try MetadataCodec.decodeEdit(Array(edit.prefix(count))) }
        }
    }

    /// The checksum keeps accidents out; this is about what somebody writes on purpose.
    @Test(arguments: 0..<300)
    func nonsenseWithAGoodChecksumIsRefusedAndNeverTraps(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let before: ClusterMetadata = rich()
        var bytes: [UInt8] =
            seed % 2 == 0
            ? MetadataCodec.encode(before)
            : MetadataCodec.encode(MetadataEdit(from: before, to: metadata(3), id: id))
        bytes.removeLast(4)
        for _ in 0..<(1 + generator.below(3)) { bytes[generator.below(bytes.count)] = UInt8(generator.below(256)) }
        if generator.oneIn(4) { bytes.removeLast(generator.below(bytes.count)) }
        let checksum: UInt32 = Checksum.crc32c(bytes.span.bytes)
        for shift: UInt32 in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: checksum >> shift)) }
        if seed % 2 == 0 {
            // What can be read is metadata, and says the same when it is written.
            guard let read = try? MetadataCodec.decodeMetadata(bytes) else { return }
            #expect(!read.voters.isEmpty && read.voters.allSatisfy { read.member($0) != nil }, "seed \(seed)")
        } else if let edit = try? MetadataCodec.decodeEdit(bytes) {
            _ = try? before.applying(edit)
        }
    }

    @Test func membersAreReadOnlyAsTheyAreWritten() throws {
        let whole = member(3, "dc", "rack", tokens: [-5, 0, 5], state: .joining)
        let bytes: [UInt8] = MemberCodec.encode(whole)
        let decoded = try MemberCodec.decode(bytes)
        #expect(decoded == whole)
        for count in bytes.indices {
            #expect(throws: DecodingError.self) { try MemberCodec.decode(Array(bytes.prefix(count))) }
        }
        #expect(throws: DecodingError.self) { try MemberCodec.decode(bytes + [0]) }
    }
}
