import CQL
import DataModel
import Environment
import Primitives

/// One client of the floor server.
///
/// Hot: an EXECUTE costs the splitting of its frame and the copy of a result that was encoded once.
final class FloorSession: ConnectionHandler {
    private var connection: (any Connection)?
    private var splitter = FrameSplitter(side: .server)
    private var frames = FrameWriter(version: .v4)
    private var output = ByteWriter(capacity: 4_096)
    private var version: ProtocolVersion = .v4
    private var isStarted = false
    private var rows: [UInt8] = []

    func opened(_ connection: any Connection) {
        self.connection = connection
    }

    func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        var used = 0
        while true {
            switch splitter.next(UnsafeRawBufferPointer(rebasing: bytes[used...])) {
            case .needMore(let consumed): return used + consumed
            case .envelope(let envelope, let consumed):
                handle(envelope)
                used += consumed
            case .rejected, .unsupportedVersion, .broken:
                connection?.close()
                return bytes.count
            }
        }
    }

    func receiveCompleted() {
        flush()
    }

    func drained() {}

    func closed(_ error: NetworkError?) {
        connection = nil
    }

    private func flush() {
        guard !output.isEmpty else { return }
        frames.finish(&output)
        connection?.send(&output)
    }

    private func handle(_ envelope: Envelope) {
        let header: FrameHeader = envelope.header
        if header.opcode == .execute { return execute(header.stream, envelope.body) }
        if !isStarted {
            version = header.version
            frames.version = version
        }
        switch header.opcode {
        case .startup:
            isStarted = true
            frames.begin(.ready, stream: header.stream, into: &output)
            frames.end(in: &output)
            flush()
            splitter.startFraming(version: version, compression: .none)
            frames.startFraming(version: version, compression: .none)
        case .options:
            frames.begin(.supported, stream: header.stream, into: &output)
            output.writeSupported(SupportedOptions.standard(languageVersion: "3.4.7"))
            frames.end(in: &output)
        case .prepare: prepare(header.stream, envelope.body)
        case .register:
            frames.begin(.ready, stream: header.stream, into: &output)
            frames.end(in: &output)
        default:
            frames.begin(.result, stream: header.stream, into: &output)
            output.writeVoidResult()
            frames.end(in: &output)
        }
    }

    /// The identifier's first byte, behind its length, tells reads from writes.
    private func execute(_ stream: Int16, _ body: UnsafeRawBufferPointer) {
        frames.begin(.result, stream: stream, into: &output)
        if body.count > 2, body[2] == FloorStatement.readMark {
            output.write(rows)
        } else {
            output.writeVoidResult()
        }
        frames.end(in: &output)
    }

    private func prepare(_ stream: Int16, _ body: UnsafeRawBufferPointer) {
        let statement = FloorStatement(body)
        if statement.isRead { rows = statement.rows(version) }
        frames.begin(.result, stream: stream, into: &output)
        output.writePreparedResult(
            statementID: statement.id, markers: statement.markers, result: statement.result, version: version)
        frames.end(in: &output)
    }
}

/// What is to be known of a statement: whether it reads, and how many columns it names.
struct FloorStatement {
    static let readMark: UInt8 = 1
    /// Bytes of every value, as `martlet bench` writes them.
    static let valueByteCount = 34

    let isRead: Bool
    private let columnCount: Int

    /// - Parameter body: of a PREPARE, which the text is in.
    init(_ body: UnsafeRawBufferPointer) {
        let text = String(decoding: body.dropFirst(4), as: UTF8.self)
        isRead = text.hasPrefix("SELECT")
        // Of a SELECT the names up to FROM; of an INSERT the markers, less that of the key.
        let list: Substring = isRead ? text.prefix { $0 != "\"" } : text[...]
        columnCount = isRead ? list.count { $0 == "," } + 1 : list.count { $0 == "?" } - 1
    }

    var id: [UInt8] { [UInt8](repeating: isRead ? FloorStatement.readMark : 0, count: 16) }

    var markers: PreparedMetadata {
        let key = specification("key")
        return PreparedMetadata(columns: isRead ? [key] : [key] + columns, partitionKeyIndexes: [0])
    }

    var result: ResultMetadata { isRead ? ResultMetadata(columns: columns) : .empty }

    /// A result of one row.
    func rows(_ version: ProtocolVersion) -> [UInt8] {
        var writer = ByteWriter()
        let place = writer.beginRows(result, version: version, isSkipped: true)
        let value = [UInt8](repeating: 7, count: FloorStatement.valueByteCount)
        for _ in 0..<columnCount { writer.writeValue(value) }
        writer.endRows(place, rowCount: 1)
        return writer.array()
    }

    private var columns: [ColumnSpecification] { (0..<max(0, columnCount)).map { specification("c\($0)") } }

    private func specification(_ name: String) -> ColumnSpecification {
        ColumnSpecification(keyspace: "bench", table: "floor", name: name, type: .blob)
    }
}
