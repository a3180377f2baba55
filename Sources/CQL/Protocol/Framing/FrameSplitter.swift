import Primitives

/// Cuts the bytes of a connection into whole envelopes.
///
/// Owned by a connection; it never reads a socket. The connection hands it what is buffered, deals with the envelope of
/// the step, drops `consumed` bytes and asks again, until `needMore`:
///
///     bytes ──▶ [v5: segments, CRC, LZ4, reassembly] ──▶ envelopes ──▶ [v3, v4: LZ4, Snappy] ──▶ FrameStep
///
/// Until `startFraming`, envelopes stand bare and uncompressed. Bodies point into the caller's buffer, or into scratch
/// memory of the splitter when they were compressed or came in several segments.
///
/// Hot: one `next` for every request. Nothing is allocated but scratch memory, which is kept up to a bound and never
/// grows past a small multiple of what the peer has really sent, nor past the limit of a frame.
public struct FrameSplitter: ~Copyable {
    public enum Side: Sendable {
        /// Reads requests.
        case server
        /// Reads responses.
        case client
    }

    public let side: Side
    public let limits: FrameLimits
    /// The version of the connection once it is fixed: a server's by the first message, a client's by `startFraming`.
    public private(set) var version: ProtocolVersion?
    private var compression: Compression = .none
    private var isSegmented = false

    /// Bytes of a rejected bare envelope that are still to come.
    private var skipped = 0
    /// Payload that is left of the plain self-contained segment at the front of the buffer; −1 outside of one.
    private var segmentLeft = -1
    /// A decompressed body, or the envelopes of a decompressed segment from `scratchPosition` on.
    private var scratch = ByteWriter(capacity: 16)
    private var scratchPosition = 0
    private var scratchHoldsSegment = false
    private var scratchIsHandedOut = false
    /// An envelope that comes in several segments: what has come, and how long it will be (0 while unknown).
    private var assembly = ByteWriter(capacity: 16)
    private var assemblyByteCount = 0
    private var assemblySkipped = 0
    private var assemblyIsHandedOut = false

    public init(side: Side, limits: FrameLimits = .server) {
        self.side = side
        self.limits = limits
    }

    /// Begins the agreed framing behind the last handled envelope: segments in v5, compressed bodies before.
    ///
    /// A server calls it when it has accepted a STARTUP, a client when that has been answered.
    public mutating func startFraming(version: ProtocolVersion, compression: Compression) {
        self.version = version
        self.compression = compression
        self.isSegmented = version.hasSegments
    }

    /// How much memory is held between calls.
    public var heldByteCount: Int { scratch.capacityByteCount + assembly.capacityByteCount }

    /// Finds the next envelope at the front of the buffered bytes.
    public mutating func next(_ buffer: UnsafeRawBufferPointer) -> FrameStep {
        if scratchIsHandedOut || assemblyIsHandedOut { takeBack() }
        return isSegmented ? nextInSegments(buffer) : nextBare(buffer)
    }

    private mutating func takeBack() {
        if scratchIsHandedOut {
            scratch.removeAll(keepingAtMost: limits.keptScratchByteCount)
            scratchIsHandedOut = false
        }
        if assemblyIsHandedOut {
            assembly.removeAll(keepingAtMost: limits.keptScratchByteCount)
            assemblyIsHandedOut = false
            assemblyByteCount = 0
        }
    }

    // MARK: Bare envelopes

    private mutating func nextBare(_ buffer: UnsafeRawBufferPointer) -> FrameStep {
        let start = min(skipped, buffer.count)
        skipped -= start
        guard skipped == 0, let base = buffer.baseAddress else { return .needMore(consumed: start) }
        let available = buffer.count - start
        if let header = usualHeader(base + start, available), !header.flags.contains(.compressed) {
            let end = FrameHeader.byteCount + header.bodyByteCount
            guard available >= end else { return .needMore(consumed: start) }
            let body = UnsafeRawBufferPointer(
                start: base + start + FrameHeader.byteCount, count: header.bodyByteCount)
            return .envelope(Envelope(header: header, body: body), consumed: start + end)
        }
        switch judge(base + start, available) {
        case .incomplete: return .needMore(consumed: start)
        case .unsupported(let client): return .unsupportedVersion(client)
        case .broken(let fault, let stream): return .broken(fault, stream: stream)
        case .rejected(let fault, let stream, let byteCount):
            let here = min(byteCount, available)
            skipped = byteCount - here
            return .rejected(fault, stream: stream, consumed: start + here)
        case .sound(let header):
            let end = FrameHeader.byteCount + header.bodyByteCount
            guard available >= end else { return .needMore(consumed: start) }
            if side == .server, version == nil { version = header.version }
            let body = UnsafeRawBufferPointer(
                start: base + start + FrameHeader.byteCount, count: header.bodyByteCount)
            guard header.flags.contains(.compressed), !header.version.hasSegments else {
                return .envelope(Envelope(header: header, body: body), consumed: start + end)
            }
            return decompressed(header, body, consumed: start + end)
        }
    }

    private mutating func decompressed(
        _ header: FrameHeader, _ body: UnsafeRawBufferPointer, consumed: Int
    ) -> FrameStep {
        scratch.removeAll()
        scratchIsHandedOut = true
        do throws(FrameFailure) {
            try BodyCompression.decompressBody(
                body, with: compression, limit: limits.frameByteCount - FrameHeader.byteCount, into: &scratch)
        } catch {
            return .rejected(error.fault, stream: header.stream, consumed: consumed)
        }
        var plain = header
        plain.flags.remove(.compressed)
        plain.bodyByteCount = scratch.count
        let bytes = scratch.withUnsafeBytes { $0 }
        return .envelope(Envelope(header: plain, body: bytes), consumed: consumed)
    }

    // MARK: Segments

    private mutating func nextInSegments(_ buffer: UnsafeRawBufferPointer) -> FrameStep {
        var consumed = 0
        while true {
            if scratchHoldsSegment {
                if let step = nextInScratch(consumed) { return step }
                continue
            }
            let rest = UnsafeRawBufferPointer(rebasing: buffer[min(consumed, buffer.count)...])
            if segmentLeft >= 0 {
                if let step = nextInPlainSegment(rest, &consumed) { return step }
                continue
            }
            if let step = openSegment(rest, &consumed) { return step }
        }
    }

    /// Takes the next envelope of the plain segment at the front of `rest`; nil when the segment has ended.
    private mutating func nextInPlainSegment(_ rest: UnsafeRawBufferPointer, _ consumed: inout Int) -> FrameStep? {
        if segmentLeft == 0 {
            guard rest.count >= Segment.trailerByteCount else { return .needMore(consumed: consumed) }
            consumed += Segment.trailerByteCount
            segmentLeft = -1
            return nil
        }
        guard rest.count >= segmentLeft + Segment.trailerByteCount else { return .needMore(consumed: consumed) }
        let taken = takeContained(UnsafeRawBufferPointer(rebasing: rest[..<segmentLeft]))
        consumed += taken.byteCount
        segmentLeft -= taken.byteCount
        if segmentLeft == 0 {
            consumed += Segment.trailerByteCount
            segmentLeft = -1
        }
        return taken.step(consumed)
    }

    /// Takes the next envelope of the decompressed segment; nil when the segment has ended.
    private mutating func nextInScratch(_ consumed: Int) -> FrameStep? {
        guard scratchPosition < scratch.count else {
            scratchHoldsSegment = false
            scratch.removeAll(keepingAtMost: limits.keptScratchByteCount)
            return nil
        }
        let all = scratch.withUnsafeBytes { $0 }
        let taken = takeContained(UnsafeRawBufferPointer(rebasing: all[scratchPosition...]))
        scratchPosition += taken.byteCount
        return taken.step(consumed)
    }

    /// An envelope, or the reason against it, taken from a self-contained segment.
    private struct Taken {
        var header: FrameHeader?
        var body = UnsafeRawBufferPointer(start: nil, count: 0)
        var fault: FrameFault = .strayEnvelope
        var stream: Int16 = 0
        var isFatal = false
        var byteCount = 0

        func step(_ consumed: Int) -> FrameStep {
            if let header { return .envelope(Envelope(header: header, body: body), consumed: consumed) }
            return isFatal
                ? .broken(fault, stream: stream) : .rejected(fault, stream: stream, consumed: consumed)
        }
    }

    private func takeContained(_ payload: UnsafeRawBufferPointer) -> Taken {
        guard let base = payload.baseAddress else { return Taken(isFatal: true) }
        if let header = usualHeader(base, payload.count) {
            let end = FrameHeader.byteCount + header.bodyByteCount
            if end <= payload.count {
                let body = UnsafeRawBufferPointer(rebasing: payload[FrameHeader.byteCount..<end])
                return Taken(header: header, body: body, byteCount: end)
            }
        }
        switch judge(base, payload.count) {
        case .incomplete: return Taken(isFatal: true)
        case .unsupported(let client):
            let fault = FrameFault.versionChanged(got: client.number, connection: version ?? .v5)
            return Taken(fault: fault, stream: client.stream, isFatal: true)
        case .broken(let fault, let stream): return Taken(fault: fault, stream: stream, isFatal: true)
        case .rejected(let fault, let stream, let byteCount):
            let isFatal = byteCount > payload.count
            return Taken(fault: fault, stream: stream, isFatal: isFatal, byteCount: isFatal ? 0 : byteCount)
        case .sound(let header):
            let end = FrameHeader.byteCount + header.bodyByteCount
            guard end <= payload.count else { return Taken(stream: header.stream, isFatal: true) }
            let body = UnsafeRawBufferPointer(rebasing: payload[FrameHeader.byteCount..<end])
            return Taken(header: header, body: body, byteCount: end)
        }
    }

    /// Checks the segment at the front of `rest` and makes its payload the source of what comes next; nil to go on.
    private mutating func openSegment(_ rest: UnsafeRawBufferPointer, _ consumed: inout Int) -> FrameStep? {
        let isCompressed = compression != .none
        let headerByteCount = isCompressed ? Segment.compressedHeaderByteCount : Segment.plainHeaderByteCount
        guard rest.count >= headerByteCount, let base = rest.baseAddress else { return .needMore(consumed: consumed) }
        do throws(FrameFailure) {
            let header = try Segment.Header.load(from: base, isCompressed: isCompressed)
            let end = headerByteCount + header.payloadByteCount + Segment.trailerByteCount
            guard rest.count >= end else { return .needMore(consumed: consumed) }
            let payload = UnsafeRawBufferPointer(start: base + headerByteCount, count: header.payloadByteCount)
            try FrameSplitter.checkTrailer(of: payload)
            return try openPayload(header, payload, headerByteCount: headerByteCount, consumed: &consumed)
        } catch {
            return .broken(error.fault, stream: 0)
        }
    }

    private static func checkTrailer(of payload: UnsafeRawBufferPointer) throws(FrameFailure) {
        guard let start = payload.baseAddress else { return }
        let stored = UInt32(
            littleEndian: (start + payload.count).loadUnaligned(as: UInt32.self))
        let computed = Segment.crc32(payload)
        guard stored == computed else {
            throw FrameFailure(fault: .payloadChecksum(stored: stored, computed: computed))
        }
    }

    private mutating func openPayload(
        _ header: Segment.Header, _ payload: UnsafeRawBufferPointer, headerByteCount: Int, consumed: inout Int
    ) throws(FrameFailure) -> FrameStep? {
        let isPlain = header.uncompressedByteCount == 0
        if header.isSelfContained {
            guard assembly.isEmpty, assemblySkipped == 0 else { throw FrameFailure(fault: .strayEnvelope) }
            if isPlain {
                consumed += headerByteCount
                segmentLeft = payload.count
                return nil
            }
        }
        consumed += headerByteCount + payload.count + Segment.trailerByteCount
        if isPlain { return try append(payload, consumed) }
        scratch.removeAll()
        try BodyCompression.decompressBlock(payload, byteCount: header.uncompressedByteCount, into: &scratch)
        if header.isSelfContained {
            scratchHoldsSegment = true
            scratchPosition = 0
            return nil
        }
        let part = scratch.withUnsafeBytes { $0 }
        return try append(part, consumed)
    }

    /// Adds a part of an envelope that is larger than a segment; nil while parts are missing.
    private mutating func append(
        _ part: UnsafeRawBufferPointer, _ consumed: Int
    ) throws(FrameFailure) -> FrameStep? {
        if assemblySkipped > 0 {
            guard part.count <= assemblySkipped else { throw FrameFailure(fault: .strayEnvelope) }
            assemblySkipped -= part.count
            return nil
        }
        // The length is judged before the bytes are kept, so that nothing is kept of what is too long.
        assembly.write(part)
        if assemblyByteCount == 0 {
            guard assembly.count >= FrameHeader.byteCount else { return nil }
            if let step = try judgeAssembly(consumed) { return step }
        }
        guard assembly.count <= assemblyByteCount else { throw FrameFailure(fault: .strayEnvelope) }
        guard assembly.count == assemblyByteCount else { return nil }
        assemblyIsHandedOut = true
        let whole = assembly.withUnsafeBytes { $0 }
        guard let base = whole.baseAddress, case .sound(let header) = judge(base, whole.count) else {
            throw FrameFailure(fault: .strayEnvelope)
        }
        let body = UnsafeRawBufferPointer(rebasing: whole[FrameHeader.byteCount...])
        return .envelope(Envelope(header: header, body: body), consumed: consumed)
    }

    /// Learns from its header how long an envelope in parts will be; a step when it is not acceptable.
    private mutating func judgeAssembly(_ consumed: Int) throws(FrameFailure) -> FrameStep? {
        let begun = assembly.withUnsafeBytes { $0 }
        guard let base = begun.baseAddress else { return nil }
        switch judge(base, begun.count) {
        case .incomplete: return nil
        case .sound(let header):
            assemblyByteCount = FrameHeader.byteCount + header.bodyByteCount
            return nil
        case .unsupported(let client):
            throw FrameFailure(fault: .versionChanged(got: client.number, connection: version ?? .v5))
        case .broken(let fault, _): throw FrameFailure(fault: fault)
        case .rejected(let fault, let stream, let byteCount):
            guard begun.count <= byteCount else { throw FrameFailure(fault: .strayEnvelope) }
            assemblySkipped = byteCount - begun.count
            assembly.removeAll(keepingAtMost: limits.keptScratchByteCount)
            return .rejected(fault, stream: stream, consumed: consumed)
        }
    }

    // MARK: Headers

    private enum Judgement {
        case incomplete
        case sound(FrameHeader)
        case rejected(FrameFault, stream: Int16, byteCount: Int)
        case unsupported(UnsupportedVersion)
        case broken(FrameFault, stream: Int16)
    }

    /// The header at `base` when there is nothing unusual about it, which `judge` would find out at more cost.
    private func usualHeader(_ base: UnsafeRawPointer, _ available: Int) -> FrameHeader? {
        guard available >= FrameHeader.byteCount, let version else { return nil }
        let raw = RawFrameHeader(loadingFrom: base)
        let isServer = side == .server
        guard raw.versionByte == version.rawValue | (isServer ? 0 : FrameHeader.responseBit), raw.length >= 0,
            Int(raw.length) <= limits.frameByteCount - FrameHeader.byteCount,
            let opcode = Opcode(rawValue: raw.opcode), opcode.isRequest == isServer
        else { return nil }
        return FrameHeader(
            version: version, flags: FrameFlags(rawValue: raw.flags), stream: raw.stream, opcode: opcode,
            bodyByteCount: Int(raw.length))
    }

    /// Judges the envelope header at `base`; a sound one says nothing of whether the body is there.
    private func judge(_ base: UnsafeRawPointer, _ available: Int) -> Judgement {
        guard available > 0 else { return .incomplete }
        let first = base.load(as: UInt8.self)
        let number = first & 0x7F
        guard let stated = ProtocolVersion(rawValue: number) else { return judgeUnknown(number, base, available) }
        guard available >= FrameHeader.byteCount else { return .incomplete }
        let raw = RawFrameHeader(loadingFrom: base)
        // A version that comes without the flag that it needs counts as one that we do not speak.
        if stated.isBeta, !FrameFlags(rawValue: raw.flags).contains(.useBeta) {
            return judgeUnknown(number, base, available)
        }
        guard raw.length >= 0 else { return .broken(.negativeLength(raw.length), stream: raw.stream) }
        let byteCount = FrameHeader.byteCount + Int(raw.length)
        if let version, version != stated {
            let fault = FrameFault.versionChanged(got: number, connection: version)
            return .rejected(fault, stream: raw.stream, byteCount: byteCount)
        }
        guard byteCount <= limits.frameByteCount else {
            let fault = FrameFault.tooLong(byteCount: byteCount, limit: limits.frameByteCount)
            return .rejected(fault, stream: raw.stream, byteCount: byteCount)
        }
        guard let opcode = Opcode(rawValue: raw.opcode) else {
            return .rejected(.unknownOpcode(raw.opcode), stream: raw.stream, byteCount: byteCount)
        }
        let isRequest = first & FrameHeader.responseBit == 0
        guard opcode.isRequest == isRequest, isRequest == (side == .server) else {
            return .rejected(.wrongDirection(opcode), stream: raw.stream, byteCount: byteCount)
        }
        return .sound(
            FrameHeader(
                version: stated, flags: FrameFlags(rawValue: raw.flags), stream: raw.stream, opcode: opcode,
                bodyByteCount: Int(raw.length)))
    }

    /// Versions 1 and 2 have a header of eight bytes with a stream of one; the others are taken to be like ours.
    private func judgeUnknown(_ number: UInt8, _ base: UnsafeRawPointer, _ available: Int) -> Judgement {
        let isShort = number == 1 || number == 2
        guard available >= (isShort ? 8 : FrameHeader.byteCount) else { return .incomplete }
        let flags = base.load(fromByteOffset: 1, as: UInt8.self)
        let stream: Int16 =
            isShort
            ? Int16(base.load(fromByteOffset: 2, as: Int8.self)) : RawFrameHeader(loadingFrom: base).stream
        return .unsupported(UnsupportedVersion(number: number, flags: flags, stream: stream))
    }
}
