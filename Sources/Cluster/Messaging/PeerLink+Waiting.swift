import Primitives

/// Messages that wait for their connection, or for a peer that is slow.
extension PeerLink {
    /// Sends what has waited and is still wanted.
    func release() {
        isCongested = false
        guard !waiting.isEmpty else { return }
        rewriteWaiting(framing: true)
        send()
    }

    /// Makes room by dropping what nobody wants any more.
    func dropExpired() {
        rewriteWaiting(framing: false)
    }

    /// Writes the waiting messages anew, without those whose time is up; what the others have left is put into them.
    private func rewriteWaiting(framing: Bool) {
        let now: UInt64 = shard.now
        var kept = 0
        var offset = 0
        earliestDeadline = .max
        swap(&output, &shard.held)
        output.reserve(shard.held.count &+ MessageFrame.headerByteCount)
        for deadline in waiting {
            let byteCount: Int = shard.held.withUnsafeBytes {
                Int(UInt32(bigEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self))) &+ 4
            }
            defer { offset &+= byteCount }
            guard deadline > now else {
                traffic.counts.expiredOutgoing &+= 1
                continue
            }
            if framing { beginFrame() }
            let start: Int = output.count
            shard.held.withUnsafeBytes {
                output.write(UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + byteCount)]))
            }
            let milliseconds: UInt64 = (deadline - now + 999_999) / 1_000_000
            output.overwrite(UInt32(clamping: milliseconds), at: start + MessageHeader.timeoutOffset)
            if framing {
                if isFrameFull { endFrame() }
            } else {
                waiting[kept] = deadline
                earliestDeadline = min(earliestDeadline, deadline)
            }
            kept += 1
        }
        if framing { waiting.removeAll(keepingCapacity: true) } else { waiting.removeLast(waiting.count - kept) }
        shard.held.removeAll(keepingAtMost: MessageSettings.keptByteCount)
    }
}
