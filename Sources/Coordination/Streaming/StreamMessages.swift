import DataModel
package import Primitives
package import Storage

/// The bodies of the messages of streams (docs/formats/internode.md, Streams).
package enum StreamMessages {
    /// Ranges of one message; more than any ring has.
    static let rangeCountLimit = 1 << 17
    /// Files of one answer.
    static let fileCountLimit = 1 << 20

    /// Asks for a session.
    ///
    ///     open := session 16 · epoch u64 · table 16 · pull 16 · title · ranges
    package struct Open: Sendable, Hashable {
        package var session: UUID
        package var epoch: UInt64
        package var table: UUID
        package var pull: UUID
        package var title: String
        package var ranges: TokenRanges
    }

    ///     opened := rest bytes u64 · rest partitions u64 · file count u32 · file* · truncation i64 · watermarks
    ///     file   := number u32 · bytes u64 · rows u64 · first token i64 · last token i64 · fingerprint 16
    package struct Opened: Sendable, Hashable {
        /// Of what is read and sent row by row, about.
        package var restByteCount: Int
        package var restPartitionCount: Int
        package var files: [OfferedFile]
        /// The last truncation of the table that the source had finished before it looked what it has.
        package var truncation: Int64 = 0
        /// Its watermarks of repair, as of then.
        package var watermarks = TokenSeconds()
    }

    /// Asks for bytes of a file; at its end for its CRC-32C, which is then the answer.
    ///
    ///     file piece := session 16 · number u32 · offset u64 · length u32
    package struct FilePiece: Sendable, Hashable {
        package var session: UUID
        package var number: UInt32
        package var offset: UInt64
        package var byteCount: UInt32
    }

    /// Asks for a chunk of rows. The first request of a lane says which, and names its ranges.
    ///
    ///     rows := session 16 · lane u32 · sequence u32 · confirmed u32 · offset u32 · (ranges · position)?
    package struct Rows: Sendable, Hashable {
        package var session: UUID
        package var lane: UInt32
        package var sequence: UInt32
        /// All chunks before this one have come.
        package var confirmed: UInt32
        /// Of a chunk that is too large for one answer: where to go on.
        package var offset: UInt32
        /// With sequence 0 only.
        package var start: LaneStart?
    }

    package struct LaneStart: Sendable, Hashable {
        package var ranges: TokenRanges
        package var position: StreamPosition?
    }

    /// The largest piece of a chunk of rows in one answer.
    static let answerByteCountLimit = 8 << 20
    /// No chunk is larger: a row and the head of its partition.
    static let chunkByteCountLimit = 1 << 30
}

// MARK: Writing

extension StreamMessages.Open {
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 128 + 16 * ranges.runs.count)
        writer.write(session)
        writer.write(epoch)
        writer.write(table)
        writer.write(pull)
        var text = title
        let byteCount: Int = min(text.utf8.count, 1_024)
        let bytes: [UInt8] = text.withUTF8 { [UInt8]($0.prefix(byteCount)) }
        writer.write(UInt32(truncatingIfNeeded: bytes.count))
        writer.write(bytes)
        writer.write(ranges)
        return writer.array()
    }

    package init(_ body: [UInt8]) throws(DecodingError) {
        var reader = ByteReader(body.span.bytes)
        session = try reader.readUUID()
        epoch = try reader.readUInt64()
        table = try reader.readUUID()
        pull = try reader.readUUID()
        let byteCount = Int(try reader.readUInt32())
        guard byteCount <= 1_024 else { throw .invalid(offset: reader.offset, what: "a title too long") }
        let bytes: [UInt8] = try reader.readArray(byteCount)
        title = String(decoding: bytes, as: UTF8.self)
        ranges = try reader.readRanges()
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes after the end") }
    }
}

extension StreamMessages.Opened {
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 64 + 52 * files.count)
        writer.write(UInt64(restByteCount))
        writer.write(UInt64(restPartitionCount))
        writer.write(UInt32(truncatingIfNeeded: files.count))
        for file in files {
            writer.write(file.number)
            writer.write(UInt64(file.byteCount))
            writer.write(UInt64(file.rowCount))
            writer.write(file.tokens.lowerBound.value)
            writer.write(file.tokens.upperBound.value)
            writer.write(file.fingerprint)
        }
        writer.write(truncation)
        watermarks.write(to: &writer)
        return writer.array()
    }

    package init(_ body: [UInt8]) throws(DecodingError) {
        var reader = ByteReader(body.span.bytes)
        restByteCount = Int(clamping: try reader.readUInt64())
        restPartitionCount = Int(clamping: try reader.readUInt64())
        let count = Int(try reader.readUInt32())
        guard count <= StreamMessages.fileCountLimit else {
            throw .invalid(offset: reader.offset, what: "too many files")
        }
        files = []
        for _ in 0..<count {
            let number: UInt32 = try reader.readUInt32()
            let byteCount: UInt64 = try reader.readUInt64()
            let rowCount: UInt64 = try reader.readUInt64()
            let tokens: ClosedRange<Token> = try reader.readRun()
            files.append(
                OfferedFile(
                    number: number, byteCount: Int(clamping: byteCount), rowCount: Int(clamping: rowCount),
                    tokens: tokens, fingerprint: try reader.readUUID()))
        }
        truncation = try reader.readInt64()
        watermarks = try TokenSeconds(from: &reader)
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes after the end") }
    }
}

extension StreamMessages.FilePiece {
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 32)
        writer.write(session)
        writer.write(number)
        writer.write(offset)
        writer.write(byteCount)
        return writer.array()
    }

    package init(_ body: [UInt8]) throws(DecodingError) {
        var reader = ByteReader(body.span.bytes)
        session = try reader.readUUID()
        number = try reader.readUInt32()
        offset = try reader.readUInt64()
        byteCount = try reader.readUInt32()
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes after the end") }
    }
}

extension StreamMessages.Rows {
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 128)
        writer.write(session)
        writer.write(lane)
        writer.write(sequence)
        writer.write(confirmed)
        writer.write(offset)
        guard let start else { return writer.array() }
        writer.write(start.ranges)
        guard let position = start.position else {
            writer.write(UInt8(0))
            return writer.array()
        }
        writer.write(UInt8(position.clustering == nil ? 1 : 2))
        writer.write(position.token.value)
        writer.write(UInt32(truncatingIfNeeded: position.key.count))
        writer.write(position.key)
        if let clustering = position.clustering {
            writer.write(UInt32(truncatingIfNeeded: clustering.count))
            writer.write(clustering)
        }
        return writer.array()
    }

    package init(_ body: [UInt8]) throws(DecodingError) {
        var reader = ByteReader(body.span.bytes)
        session = try reader.readUUID()
        lane = try reader.readUInt32()
        sequence = try reader.readUInt32()
        confirmed = try reader.readUInt32()
        offset = try reader.readUInt32()
        guard !reader.isAtEnd else { return }
        let ranges: TokenRanges = try reader.readRanges()
        let kind: UInt8 = try reader.readUInt8()
        guard kind < 3 else { throw .invalid(offset: reader.offset, what: "an unknown kind of position") }
        guard kind > 0 else {
            start = StreamMessages.LaneStart(ranges: ranges)
            return
        }
        let token = Token(try reader.readInt64())
        let keyByteCount = Int(try reader.readUInt32())
        let key: [UInt8] = try reader.readArray(keyByteCount)
        var clustering: [UInt8]?
        if kind == 2 {
            let byteCount = Int(try reader.readUInt32())
            clustering = try reader.readArray(byteCount)
        }
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes after the end") }
        start = StreamMessages.LaneStart(
            ranges: ranges, position: StreamPosition(token: token, key: key, clustering: clustering))
    }
}

extension ByteWriter {
    fileprivate mutating func write(_ id: UUID) {
        write(id.high)
        write(id.low)
    }

    ///     ranges := count u32 · (first token i64 · last token i64)*
    fileprivate mutating func write(_ ranges: TokenRanges) {
        write(UInt32(truncatingIfNeeded: ranges.runs.count))
        for run in ranges.runs {
            write(run.lowerBound.value)
            write(run.upperBound.value)
        }
    }
}

extension ByteReader {
    fileprivate mutating func readUUID() throws(DecodingError) -> UUID {
        let high: UInt64 = try readUInt64()
        return UUID(high: high, low: try readUInt64())
    }

    fileprivate mutating func readRun() throws(DecodingError) -> ClosedRange<Token> {
        let first: Int64 = try readInt64()
        let last: Int64 = try readInt64()
        guard first <= last else { throw .invalid(offset: offset, what: "tokens in the wrong order") }
        return Token(first)...Token(last)
    }

    fileprivate mutating func readRanges() throws(DecodingError) -> TokenRanges {
        let count = Int(try readUInt32())
        guard count <= StreamMessages.rangeCountLimit else { throw .invalid(offset: offset, what: "too many ranges") }
        var runs: [ClosedRange<Token>] = []
        for _ in 0..<count { runs.append(try readRun()) }
        return TokenRanges(runs)
    }
}
