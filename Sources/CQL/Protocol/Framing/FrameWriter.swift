public import Primitives

/// Writes envelopes into a connection's output, in the framing that was agreed on.
///
/// Owned by a connection, next to the one `ByteWriter` that holds its output. A message is written between `begin` and
/// `end`; `finish` is called once before the output is sent:
///
///     begin · body · end · begin · body · end · … · finish ──▶ socket ──▶ output.removeAll()
///
/// In v5, everything since the last `finish` goes into as few segments as possible. Without compression a small message
/// is written in its final place and only lengths and checksums are filled in; with it, or for a message larger than a
/// segment, the bytes are moved once through scratch memory.
///
/// Hot: one `begin` and `end` for every request. Nothing is allocated but scratch memory, kept up to a bound.
public struct FrameWriter: ~Copyable {
    /// The version of the next envelope's header.
    public var version: ProtocolVersion
    private var compression: Compression = .none
    private var isSegmented = false
    /// Where the room for the open segment's header begins (or, with LZ4, where its raw envelopes do); −1 without one.
    private var segmentStart = -1
    private var envelopeStart = 0
    private var scratch = ByteWriter(capacity: 16)

    /// Bodies smaller than this gain nothing from compression.
    private static let smallestCompressedBody: Int = 128
    private static let keptScratchByteCount: Int = 256 * 1024

    public init(version: ProtocolVersion) {
        self.version = version
    }

    /// Begins the agreed framing behind what has been written: a server calls it behind the answer to STARTUP, a client
    /// when that answer has come.
    public mutating func startFraming(version: ProtocolVersion, compression: Compression) {
        self.version = version
        self.compression = compression
        self.isSegmented = version.hasSegments
    }

    /// Begins an envelope; the body is appended to `output` next.
    public mutating func begin(
        _ opcode: Opcode, stream: Int16, flags: FrameFlags = [], into output: inout ByteWriter
    ) {
        if isSegmented, segmentStart < 0 {
            segmentStart = output.count
            if compression == .none { output.writeZeros(Segment.plainHeaderByteCount) }
        }
        envelopeStart = output.count
        let flags: FrameFlags = version.isBeta ? flags.union(.useBeta) : flags
        FrameHeader(version: version, flags: flags, stream: stream, opcode: opcode, bodyByteCount: 0)
            .write(into: &output)
    }

    /// Begins a response with a tracing identifier, warnings or a custom payload in front of its message.
    public mutating func begin(
        _ opcode: Opcode, stream: Int16, prefix: ResponsePrefix, into output: inout ByteWriter
    ) {
        let flags = prefix.flags(version)
        begin(opcode, stream: stream, flags: flags, into: &output)
        prefix.write(into: &output, flags: flags)
    }

    /// Drops the envelope that was begun, so that another can be written in its place.
    public mutating func abandon(in output: inout ByteWriter) {
        output.truncate(to: envelopeStart)
        let isAlone = segmentStart >= 0 && envelopeStart <= segmentStart + Segment.plainHeaderByteCount
        if isAlone {
            output.truncate(to: segmentStart)
            segmentStart = -1
        }
    }

    /// Ends the envelope that was begun.
    public mutating func end(in output: inout ByteWriter) {
        if compression != .none, !isSegmented { compressBody(in: &output) }
        let bodyByteCount = output.count - envelopeStart - FrameHeader.byteCount
        output.overwrite(UInt32(truncatingIfNeeded: bodyByteCount), at: envelopeStart + 5)
        guard isSegmented, compression == .none else { return }
        let payload = output.count - segmentStart - Segment.plainHeaderByteCount
        if payload > Segment.maximumPayload { overflow(in: &output) }
    }

    /// Appends a whole ERROR.
    public mutating func writeError(_ error: CQLError, stream: Int16, into output: inout ByteWriter) {
        begin(.error, stream: stream, into: &output)
        error.write(into: &output, version: version)
        end(in: &output)
    }

    /// Appends a whole EVENT.
    public mutating func writeEvent(_ event: Event, into output: inout ByteWriter) {
        begin(.event, stream: Event.stream, into: &output)
        event.write(into: &output, version: version)
        end(in: &output)
    }

    /// Closes the open segment, so that the output may be sent. Does nothing in other framings.
    public mutating func finish(_ output: inout ByteWriter) {
        guard segmentStart >= 0 else { return }
        if compression == .none {
            closePlainSegment(in: &output)
        } else {
            compressSegments(in: &output)
        }
        segmentStart = -1
    }

    // MARK: v3 and v4

    private mutating func compressBody(in output: inout ByteWriter) {
        let bodyStart = envelopeStart + FrameHeader.byteCount
        let byteCount = output.count - bodyStart
        guard byteCount >= FrameWriter.smallestCompressedBody else { return }
        scratch.removeAll()
        output.withUnsafeBytes { bytes in
            BodyCompression.compressBody(
                UnsafeRawBufferPointer(rebasing: bytes[bodyStart...]), with: compression, into: &scratch)
        }
        if scratch.count < byteCount {
            let flags = output.withUnsafeBytes { $0[envelopeStart + 1] }
            output.truncate(to: bodyStart)
            scratch.withUnsafeBytes { output.write($0) }
            output.overwrite(flags | FrameFlags.compressed.rawValue, at: envelopeStart + 1)
        }
        releaseScratch()
    }

    // MARK: v5

    private func closePlainSegment(in output: inout ByteWriter) {
        let payloadStart = segmentStart + Segment.plainHeaderByteCount
        let byteCount = output.count - payloadStart
        let header = Segment.Header(
            payloadByteCount: byteCount, uncompressedByteCount: 0, isSelfContained: true)
        header.overwrite(at: segmentStart, in: &output, isCompressed: false)
        let checksum: UInt32 = output.withUnsafeBytes { bytes in
            Segment.crc32(UnsafeRawBufferPointer(rebasing: bytes[payloadStart...]))
        }
        output.write(checksum.byteSwapped)
    }

    /// Moves the last envelope, with which the open segment would be too long, into a segment or segments of its own.
    private mutating func overflow(in output: inout ByteWriter) {
        scratch.removeAll()
        output.withUnsafeBytes { bytes in
            scratch.write(UnsafeRawBufferPointer(rebasing: bytes[envelopeStart...]))
        }
        output.truncate(to: envelopeStart)
        if envelopeStart > segmentStart + Segment.plainHeaderByteCount {
            closePlainSegment(in: &output)
        } else {
            output.truncate(to: segmentStart)
        }
        if scratch.count <= Segment.maximumPayload {
            segmentStart = output.count
            output.writeZeros(Segment.plainHeaderByteCount)
            envelopeStart = output.count
            scratch.withUnsafeBytes { output.write($0) }
        } else {
            segmentStart = -1
            scratch.withUnsafeBytes { FrameWriter.writeParts(of: $0, isCompressed: false, into: &output) }
        }
        releaseScratch()
    }

    /// Packs the raw envelopes since `segmentStart` into compressed segments.
    private mutating func compressSegments(in output: inout ByteWriter) {
        scratch.removeAll()
        output.withUnsafeBytes { bytes in
            scratch.write(UnsafeRawBufferPointer(rebasing: bytes[segmentStart...]))
        }
        output.truncate(to: segmentStart)
        scratch.withUnsafeBytes { envelopes in
            var start = 0
            while start < envelopes.count {
                let end = FrameWriter.endOfGroup(from: start, in: envelopes)
                let group = UnsafeRawBufferPointer(rebasing: envelopes[start..<end])
                if group.count <= Segment.maximumPayload {
                    FrameWriter.writeSegment(group, isSelfContained: true, isCompressed: true, into: &output)
                } else {
                    FrameWriter.writeParts(of: group, isCompressed: true, into: &output)
                }
                start = end
            }
        }
        releaseScratch()
    }

    /// Where the whole envelopes from `start` on that fit into one segment end: at least one envelope.
    private static func endOfGroup(from start: Int, in envelopes: UnsafeRawBufferPointer) -> Int {
        var end = start
        while end + FrameHeader.byteCount <= envelopes.count {
            let stored = envelopes.loadUnaligned(fromByteOffset: end + 5, as: UInt32.self)
            let next = end + FrameHeader.byteCount + Int(UInt32(bigEndian: stored))
            guard next <= envelopes.count, end == start || next - start <= Segment.maximumPayload else { break }
            end = next
        }
        return end > start ? end : envelopes.count
    }

    /// Writes one envelope as several segments.
    private static func writeParts(
        of envelope: UnsafeRawBufferPointer, isCompressed: Bool, into output: inout ByteWriter
    ) {
        for start in stride(from: 0, to: envelope.count, by: Segment.maximumPayload) {
            let end = min(start + Segment.maximumPayload, envelope.count)
            let part = UnsafeRawBufferPointer(rebasing: envelope[start..<end])
            writeSegment(part, isSelfContained: false, isCompressed: isCompressed, into: &output)
        }
    }

    private static func writeSegment(
        _ payload: UnsafeRawBufferPointer, isSelfContained: Bool, isCompressed: Bool, into output: inout ByteWriter
    ) {
        let start = output.count
        var header = Segment.Header(
            payloadByteCount: payload.count, uncompressedByteCount: 0, isSelfContained: isSelfContained)
        let headerByteCount = isCompressed ? Segment.compressedHeaderByteCount : Segment.plainHeaderByteCount
        output.writeZeros(headerByteCount)
        let payloadStart = start + headerByteCount
        if isCompressed {
            BodyCompression.compressBlock(payload, into: &output)
            if output.count - payloadStart < payload.count {
                header.payloadByteCount = output.count - payloadStart
                header.uncompressedByteCount = payload.count
            } else {
                output.truncate(to: payloadStart)
                output.write(payload)
            }
        } else {
            output.write(payload)
        }
        header.overwrite(at: start, in: &output, isCompressed: isCompressed)
        let checksum: UInt32 = output.withUnsafeBytes { bytes in
            Segment.crc32(UnsafeRawBufferPointer(rebasing: bytes[payloadStart...]))
        }
        output.write(checksum.byteSwapped)
    }

    private mutating func releaseScratch() {
        if scratch.capacityByteCount > FrameWriter.keptScratchByteCount {
            scratch.removeAll(keepingAtMost: FrameWriter.keptScratchByteCount)
        }
    }
}
