/// Who waits for answers: one object for as many requests as it likes, told apart by their tags.
///
/// Every request that a link took is ended by one of the two calls, once, on the loop that sent it, after the call that
/// sent it has returned.
public protocol ReplyReceiver: AnyObject {
    /// The node has answered. The body is valid for the duration of the call.
    func replied(_ tag: UInt64, from node: NodeID, body: RawSpan)

    /// There is no answer, and none will come.
    func failed(_ tag: UInt64, from node: NodeID, _ failure: MessageFailure)
}

/// Who carries out the requests of a verb that come to a loop, there and at once.
public protocol RequestHandler: AnyObject {
    /// A request has come. The body is valid for the duration of the call.
    ///
    /// The answer may be written before the call returns, or later (`ShardMessages.beginReply`), or never.
    func received(_ verb: Verb, from node: NodeID, body: RawSpan, reply: ReplyPlace)
}

/// Where the answer to a request goes: a few numbers, so that it can be kept for as long as the answer takes. When the
/// connection has gone meanwhile, or the time is up, the answer goes nowhere.
public struct ReplyPlace: Equatable, Sendable {
    /// The loop that has the connection, and where replies are to be written.
    public let loopIndex: Int32
    /// The link of the connection, and which one of those that have had its place.
    let link: Int32
    let serial: UInt32
    let verbNumber: UInt8
    /// The number of its trace on the loop (`OpenTraces`); 0 for none.
    @usableFromInline let trace: UInt16
    let id: UInt64
    /// When whoever asked stops waiting, by this node's monotonic clock.
    public let deadlineNanoseconds: UInt64

    /// Where the answer to another request of the same sender goes, which came in the same message
    /// (`PeerLink.expectAnswer`). An id that it did not give out goes nowhere.
    public func forRequest(_ id: UInt64) -> ReplyPlace {
        ReplyPlace(
            loopIndex: loopIndex, link: link, serial: serial, verbNumber: verbNumber, trace: 0, id: id,
            deadlineNanoseconds: deadlineNanoseconds)
    }

    func with(trace: UInt16) -> ReplyPlace {
        ReplyPlace(
            loopIndex: loopIndex, link: link, serial: serial, verbNumber: verbNumber, trace: trace, id: id,
            deadlineNanoseconds: deadlineNanoseconds)
    }

    /// Whether whoever asked wants to know what is done for it (`ShardMessages.trace`).
    @inlinable public var isTraced: Bool { trace != 0 }

    /// Whether an answer is wanted; what is written for a place that wants none goes nowhere.
    public var isWanted: Bool { id != 0 }
}

/// Whether a link takes a message.
public enum SendOutcome: UInt8, Sendable {
    /// It does: now the body is written, and then `end` is called.
    case ready
    /// There is no connection, and it is too early to try again, or nobody knows the node's address.
    case unreachable
    /// More waits than may wait.
    case overloaded
    /// This node is stopping.
    case closed

    /// The same as who waits for an answer would be told it.
    @inlinable
    public func failure(of node: NodeID) -> MessageFailure? {
        switch self {
        case .ready: nil
        case .unreachable: .unreachable(node)
        case .overloaded: .overloaded(node)
        case .closed: .closed
        }
    }
}
