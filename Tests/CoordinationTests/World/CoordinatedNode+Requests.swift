import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Storage

/// What tests ask of a node of a `CoordinatedWorld`.
extension CoordinatedNode {
    // MARK: Registers

    func write(
        _ key: String, _ value: String, at timestamp: Int64, _ level: Consistency, timeoutMilliseconds: UInt32 = 2_000,
        trace: RequestTrace? = nil
    ) async throws {
        let index: Int = shard(key)
        let bytes: [UInt8] = ReplicaWorld.mutation(key, value, at: timestamp)
        let token: Token = token(key)
        try await replica.run(on: index) { [self] shard in
            let plan: ReplicaPlan = try views[index].plan(for: replication, token)
            let observer = AwaitedWrite()
            try writers[index].write(
                bytes.span.bytes, to: shard.store.table(ReplicaWorld.table), plan, level, .simple,
                timeoutMilliseconds: timeoutMilliseconds, observer: observer, tag: 0, trace: trace)
            if let failure = await observer.wait() { throw failure }
        }
    }

    func read(
        _ key: String, _ level: Consistency, timeoutMilliseconds: UInt32 = 2_000
    ) async throws -> String? {
        let index: Int = shard(key)
        let token: Token = token(key)
        let request: PageRequest = request(ReplicaWorld.table, key)
        return try await replica.run(on: index) { [self] _ in
            let page: MergedPage = try await readers[index].page(
                request, try views[index].plan(for: replication, token), level,
                ReadPolicy(speculation: .never, repairs: true), timeoutMilliseconds: timeoutMilliseconds)
            return try CoordinatedNode.cells(page).first.map { String(decoding: $0.value, as: UTF8.self) }
        }
    }

    /// Writes a logged batch of registers.
    func writeBatch(
        _ values: [(key: String, value: String)], at timestamp: Int64, _ level: Consistency,
        timeoutMilliseconds: UInt32 = 2_000
    ) async throws {
        let writes: [PartitionWrite] = values.map {
            PartitionWrite(
                mutation: ReplicaWorld.mutation($0.key, $0.value, at: timestamp), replication: replication)
        }
        try await replica.run(on: 0) { [self] _ in
            try await batches[0].write(writes, level, timeoutMilliseconds: timeoutMilliseconds)
        }
    }

    /// The page of a register that this node answers with as a replica.
    func page(_ key: String) async throws -> ReadPage { try await replica.page(request(ReplicaWorld.table, key)) }

    /// What this node has of a register by itself.
    func own(_ key: String) async throws -> String? {
        let page: ReadPage = try await replica.page(request(ReplicaWorld.table, key))
        let cells = try CoordinatedNode.cells(MergedPage(pages: [page], covered: nil))
        return cells.first.map { String(decoding: $0.value, as: UTF8.self) }
    }

    // MARK: Counters

    /// Counts in a row; nil counts in the static row.
    func count(
        _ key: String, _ row: String? = "", by delta: Int64, _ level: Consistency, at timestamp: Int64 = 1,
        timeoutMilliseconds: UInt32 = 5_000
    ) async throws {
        let deltas: [UInt8] = CoordinatedNode.deltas(key, [(row, delta)], at: timestamp)
        try await count(key, deltas, level, timeoutMilliseconds: timeoutMilliseconds)
    }

    func count(
        _ key: String, _ deltas: [UInt8], _ level: Consistency, timeoutMilliseconds: UInt32 = 5_000
    ) async throws {
        let index: Int = shard(key)
        let token: Token = token(key)
        try await replica.run(on: index) { [self] _ in
            try await counters[index].write(
                deltas, try views[index].plan(for: replication, token), level,
                timeoutMilliseconds: timeoutMilliseconds)
        }
    }

    func total(_ key: String, _ level: Consistency) async throws -> Int64? { try await total(key, "", level) }

    /// What a row's counter is, read at a level; nil when there is none.
    func total(
        _ key: String, _ row: String?, _ level: Consistency, timeoutMilliseconds: UInt32 = 2_000
    ) async throws -> Int64? {
        let index: Int = shard(key)
        let token: Token = token(key)
        let request: PageRequest = request(CoordinatedNode.counterTable, key)
        return try await replica.run(on: index) { [self] _ in
            let page: MergedPage = try await readers[index].page(
                request, try views[index].plan(for: replication, token), level,
                ReadPolicy(speculation: .never, repairs: true), timeoutMilliseconds: timeoutMilliseconds)
            return try CoordinatedNode.total(page, row)
        }
    }

    /// What this node has of a counter by itself.
    func ownTotal(_ key: String, _ row: String? = "") async throws -> Int64? {
        let page: ReadPage = try await replica.page(request(CoordinatedNode.counterTable, key))
        return try CoordinatedNode.total(MergedPage(pages: [page], covered: nil), row)
    }

    /// A counter write of several rows, as a coordinator makes it.
    static func deltas(_ key: String, _ rows: [(row: String?, delta: Int64)], at timestamp: Int64 = 1) -> [UInt8] {
        let bytes = Array(key.utf8)
        var writer = ByteWriter()
        var mutation = MutationWriter(
            table: counterTable, token: Token(ofKey: bytes.span.bytes), key: bytes.span.bytes, to: &writer)
        func body(_ column: UInt16, _ delta: Int64, _ writer: inout ByteWriter) {
            var row = RowWriter(marker: nil, baseTimestamp: timestamp, deletion: .none, to: &writer)
            var value = ByteWriter()
            value.write(delta)
            row.live(column: column, timestamp: timestamp, value: value.span, isCounter: true, to: &writer)
            row.finish(&writer)
        }
        for row in rows where row.row == nil {
            let start = mutation.beginStaticRow(&writer)
            body(staticCounter, row.delta, &writer)
            mutation.endBody(start, &writer)
        }
        mutation.beginRows(&writer)
        for case (let row?, let delta) in rows {
            let clustering = Array(row.utf8)
            let start = mutation.beginRow(clustering: clustering.span.bytes, to: &writer)
            body(counter, delta, &writer)
            mutation.endBody(start, &writer)
        }
        mutation.beginRanges(&writer)
        mutation.finish(&writer)
        return writer.array()
    }

    /// The deletion of a row's counter.
    static func deletion(_ key: String, _ row: String, at timestamp: Int64) -> [UInt8] {
        let bytes = Array(key.utf8)
        let clustering = Array(row.utf8)
        var writer = ByteWriter()
        var mutation = MutationWriter(
            table: counterTable, token: Token(ofKey: bytes.span.bytes), key: bytes.span.bytes, to: &writer)
        mutation.beginRows(&writer)
        let start = mutation.beginRow(clustering: clustering.span.bytes, to: &writer)
        let body = RowWriter(
            marker: nil, baseTimestamp: timestamp, deletion: Deletion(timestamp: timestamp, localSeconds: 1),
            to: &writer)
        body.finish(&writer)
        mutation.endBody(start, &writer)
        mutation.beginRanges(&writer)
        mutation.finish(&writer)
        return writer.array()
    }

    // MARK: Reading

    private func request(_ table: UUID, _ key: String) -> PageRequest {
        let bytes = Array(key.utf8)
        return PageRequest(
            table: table, command: ReadCommand(partitions: .one(token: token(key), key: bytes)),
            nowSeconds: host.time.wallSeconds, graceStart: 0, rowLimit: 1_000)
    }

    private static func total(_ page: MergedPage, _ row: String?) throws -> Int64? {
        for cell in try cells(page) where cell.row == row.map({ Array($0.utf8) }) {
            let value: [UInt8] = cell.value
            return try CounterContext.total(of: value.span.bytes)
        }
        return nil
    }

    private struct ReadCell {
        let row: [UInt8]?
        let value: [UInt8]
    }

    private static func cells(_ page: MergedPage) throws -> [ReadCell] {
        let cursor: ReadCursor = page.cursor(isReversed: false)
        var found: [ReadCell] = []
        func add(_ row: [UInt8], _ clustering: [UInt8]?) throws {
            if row.isEmpty { return }
            var reader = try RowReader(row.span.bytes)
            while let cell = try reader.next() {
                if cell.isTombstone { continue }
                let value = row[cell.valueOffset..<(cell.valueOffset + cell.valueByteCount)]
                found.append(ReadCell(row: clustering, value: Array(value)))
            }
        }
        while true {
            switch try cursor.step() {
            case .end, .blocked: return found
            case .partition: try add([UInt8](cursor.staticRow), nil)
            case .row: try add([UInt8](cursor.row), [UInt8](cursor.clustering))
            }
        }
    }
}
