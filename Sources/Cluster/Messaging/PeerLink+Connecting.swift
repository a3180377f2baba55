import Environment
import Primitives

/// How a link comes by its connection, and what happens when it loses it.
extension PeerLink {
    /// Begins to connect. Messages wait meanwhile.
    func connect() {
        guard let address else { return }
        state = .connecting
        attempt &+= 1
        traffic.counts.attempts &+= 1
        let current: UInt32 = attempt
        let context: MessageContext = shard.context
        let loop: any Loop = shard.loop
        context.host.background.run("connect to a node", on: loop) { [self] in
            do throws(NetworkError) {
                _ = try await context.host.network.connect(
                    to: address, on: loop, security: context.settings.callingSecurity,
                    timeout: context.settings.connectTimeout
                ) {
                    PeerConnection(self.shard, calling: self, attempt: current)
                }
            } catch {
                connectFailed(current, error)
            }
        }
    }

    private func connectFailed(_ former: UInt32, _ error: NetworkError) {
        guard former == attempt, state == .connecting else { return }
        pauseAttempts()
        shard.context.callbacks.event(.unreachable(peer, lane, error))
        lose(.unreachable(peer))
    }

    /// The node has answered the greeting.
    func opened(_ connection: PeerConnection, _ welcome: Welcome) {
        if role == .addressed { peer = welcome.node }
        wire = connection
        state = .open
        openedAtNanoseconds = shard.now
        traffic.counts.connections &+= 1
        shard.decideCompression(self)
        shard.context.callbacks.event(.opened(peer, lane))
        release()
    }

    /// The node does not want to talk, or is not the one that was wanted.
    func refused(_ refusal: HandshakeRefusal) {
        traffic.counts.refusals &+= 1
        pauseAttempts()
        if let address { shard.context.callbacks.event(.refused(address, refusal)) }
        lose(
            .refused(
                peer, code: TransportFailure.refusedConnection + UInt16(refusal.code), reason: refusal.reason))
    }

    /// The connection has ended, or was of no use before it was up.
    func ended() {
        if state == .open {
            // A connection that broke is tried again at once, one that broke as soon as it was up is not.
            if shard.now &- openedAtNanoseconds >= 1_000_000_000 {
                failureCount = 0
                retryAtNanoseconds = 0
            } else {
                pauseAttempts()
            }
            if !shard.isStopped { shard.context.callbacks.event(.closed(peer, lane)) }
        } else {
            pauseAttempts()
            if role != .accepted { shard.context.callbacks.event(.unreachable(peer, lane, .closed)) }
        }
        lose(.unreachable(peer))
    }

    /// Goes back to having no connection: what waits for it fails.
    func lose(_ failure: MessageFailure) {
        wire = nil
        traffic.counts.undelivered &+= UInt64(waiting.count)
        clearOutput()
        switch role {
        case .outgoing: state = shard.isStopped ? .closed : .idle
        case .addressed, .accepted, .local: state = .closed
        }
        // Last: who hears of it may use the link again.
        shard.failRequests(of: self, failure)
        if role == .accepted { shard.remove(self) }
    }

    /// Ends the connection, because this node wants so.
    func close(_ failure: MessageFailure) {
        guard state != .closed else { return }
        let former: PeerConnection? = wire
        // A connection that is still being made is closed when it shows up.
        attempt &+= 1
        lose(failure)
        if shard.isStopped || role != .outgoing { state = .closed }
        former?.close()
    }

    /// Lets the next message try to connect at once.
    func forgetFailures() {
        failureCount = 0
        retryAtNanoseconds = 0
    }

    /// Puts the next attempt off: longer with each failure, and not for all links alike.
    private func pauseAttempts() {
        let settings: MessageSettings = shard.context.settings
        let shortest: UInt64 = settings.shortestPause.clampedNanoseconds
        let longest: UInt64 = settings.longestPause.clampedNanoseconds
        let doubled: UInt64 = min(longest, shortest << UInt64(min(failureCount, 16)))
        failureCount += 1
        let half: UInt64 = doubled / 2
        let random: UInt64 = shard.context.host.entropy.next() % (half + 1)
        retryAtNanoseconds = shard.now &+ half &+ random
    }
}

extension Duration {
    /// The duration in nanoseconds; 0 when it is negative, a day when it is longer.
    var clampedNanoseconds: UInt64 {
        let parts: (seconds: Int64, attoseconds: Int64) = components
        if parts.seconds < 0 || parts.attoseconds < 0 { return 0 }
        if parts.seconds >= 86_400 { return 86_400_000_000_000 }
        return UInt64(parts.seconds) * 1_000_000_000 + UInt64(parts.attoseconds) / 1_000_000_000
    }

    /// The duration in whole milliseconds, at least 1.
    var timeoutMilliseconds: UInt32 {
        UInt32(clamping: max(1, (clampedNanoseconds + 999_999) / 1_000_000))
    }
}
