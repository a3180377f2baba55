package import Environment
package import Primitives

/// One thing that has happened on a node while it did its part of a traced request.
///
///     events := count u16 · event*
///     event  := time i64 · elapsed u32 · host length u8 (4 or 16) · host · port u16
///             · thread (u16 length · bytes) · activity (u16 length · bytes)
package struct TraceEvent: Equatable, Sendable {
    /// By the wall clock of the node, since 1970.
    package let wallMicroseconds: Int64
    /// Since the node heard of the request.
    package let elapsedMicroseconds: UInt32
    /// The internode address of the node.
    package let source: SocketAddress
    package let thread: String
    package let activity: String

    package init(
        wallMicroseconds: Int64, elapsedMicroseconds: UInt32, source: SocketAddress, thread: String, activity: String
    ) {
        self.wallMicroseconds = wallMicroseconds
        self.elapsedMicroseconds = elapsedMicroseconds
        self.source = source
        self.thread = thread
        self.activity = activity
    }

    /// What is kept of a statement or a reason, in bytes of UTF-8.
    private static let textByteCount = 4_096

    package static func write(_ events: [TraceEvent], to writer: inout ByteWriter) {
        writer.write(UInt16(clamping: events.count))
        for event in events.prefix(Int(UInt16.max)) { event.write(to: &writer) }
    }

    private func write(to writer: inout ByteWriter) {
        writer.write(wallMicroseconds)
        writer.write(elapsedMicroseconds)
        writer.write(UInt8(truncatingIfNeeded: source.host.count))
        writer.write(source.host)
        writer.write(source.port)
        TraceEvent.write(thread, to: &writer)
        TraceEvent.write(activity, to: &writer)
    }

    private static func write(_ text: String, to writer: inout ByteWriter) {
        let bytes = Array(text.utf8.prefix(textByteCount))
        writer.write(UInt16(truncatingIfNeeded: bytes.count))
        writer.write(bytes)
    }

    package static func read(from reader: inout ByteReader) throws(DecodingError) -> [TraceEvent] {
        var events: [TraceEvent] = []
        for _ in 0..<(try reader.readUInt16()) { events.append(try TraceEvent(from: &reader)) }
        return events
    }

    private init(from reader: inout ByteReader) throws(DecodingError) {
        self.wallMicroseconds = try reader.readInt64()
        self.elapsedMicroseconds = try reader.readUInt32()
        let hostByteCount = Int(try reader.readUInt8())
        guard hostByteCount == 4 || hostByteCount == 16 else {
            throw .invalid(offset: reader.offset, what: "no address has this many bytes")
        }
        let host: [UInt8] = try reader.readArray(hostByteCount)
        self.source = SocketAddress(host: host, port: try reader.readUInt16())
        self.thread = try TraceEvent.readText(&reader)
        self.activity = try TraceEvent.readText(&reader)
    }

    private static func readText(_ reader: inout ByteReader) throws(DecodingError) -> String {
        String(decoding: try reader.readArray(Int(try reader.readUInt16())), as: UTF8.self)
    }
}
