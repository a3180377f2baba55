import CQL

/// What to do about a request that failed, as the drivers of Cassandra do by default.
///
/// A request is sent again only where that can help and cannot do harm: once to the same node after a read that enough
/// replicas answered without the data, or after a batch whose log was not written in time; to the next node when this
/// one could not even begin. Writes that may have happened are repeated only if they are idempotent.
public struct RetryPolicy: Sendable, Equatable {
    public enum Decision: Equatable, Sendable {
        case sameNode, nextNode, fail
    }

    /// How often one request may be sent again because of what servers answer.
    public var limit = 1

    public init() {}

    /// - Parameter retryCount: how often the request has been sent again.
    public func decision(for error: any Error, isIdempotent: Bool, retryCount: Int) -> Decision {
        switch error {
        case let error as CQLError: decision(for: error, isIdempotent: isIdempotent, retryCount: retryCount)
        case let error as ClientError: decision(for: error, isIdempotent: isIdempotent)
        default: .fail
        }
    }

    private func decision(for error: CQLError, isIdempotent: Bool, retryCount: Int) -> Decision {
        switch error {
        case .readTimeout(_, _, let received, let required, let hasData):
            return retryCount < limit && received >= required && !hasData ? .sameNode : .fail
        case .writeTimeout(_, _, _, _, let type, _):
            return retryCount < limit && isIdempotent && type == .batchLog ? .sameNode : .fail
        case .unavailable: return retryCount < limit ? .nextNode : .fail
        // The node has not begun: another may be able to.
        case .isBootstrapping: return .nextNode
        case .overloaded, .serverError, .truncateError: return isIdempotent ? .nextNode : .fail
        default: return .fail
        }
    }

    private func decision(for error: ClientError, isIdempotent: Bool) -> Decision {
        switch error {
        case .unreachable, .noHosts, .tooManyRequests: .nextNode
        // The answer is lost, and with it whether there was one.
        case .connectionClosed, .malformedResponse: isIdempotent ? .nextNode : .fail
        default: .fail
        }
    }
}

/// How long to wait before each attempt to reach a node again: twice as long each time, up to a limit.
public struct ReconnectionSchedule: Sendable, Equatable {
    public var first: Duration = .seconds(1)
    public var limit: Duration = .seconds(60)
    private var next: Duration?

    public init() {}

    /// - Parameter random: bits that spread the attempts of many clients: 85 to 115 parts of 100.
    mutating func pause(random: UInt64) -> Duration {
        let chosen: Duration = min(next ?? first, limit)
        next = min(chosen * 2, limit)
        return chosen * Int(85 + random % 31) / 100
    }

    mutating func reset() {
        next = nil
    }
}
