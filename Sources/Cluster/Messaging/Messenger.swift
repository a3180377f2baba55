package import Environment

/// Why a request to another node has no answer.
public enum MessageFailure: Error, Equatable, Sendable {
    /// Nobody knows the node, or there is no connection to it.
    case unreachable(NodeID)
    /// No answer came within the time that was given; what was asked for may have happened.
    case timedOut(NodeID)
    /// More waits for the node than may wait.
    case overloaded(NodeID)
    /// The node answered that it could not: a code that the verb defines, and words.
    case refused(NodeID, code: UInt16, reason: String)
    /// The answer is not what the verb's answers look like.
    case malformed(NodeID, String)
    /// This node is stopping.
    case closed
}

/// A request from another node.
package struct IncomingMessage: Sendable {
    package let verb: Verb
    package let sender: NodeID
    package let body: [UInt8]

    package init(verb: Verb, sender: NodeID, body: [UInt8]) {
        self.verb = verb
        self.sender = sender
        self.body = body
    }
}

/// What a handler that cannot do what it was asked for throws: it goes back to the sender as `.refused`.
package struct Refusal: Error, Equatable, Sendable {
    package let code: UInt16
    package let reason: String

    package init(code: UInt16, reason: String) {
        self.code = code
        self.reason = reason
    }
}

/// Sends messages to other nodes, for everything that is not hot.
///
/// Messages may be lost, late, and in another order than they were sent in; none comes twice and none is changed. A
/// message to this node itself is carried out like any other.
package protocol Messenger: Sendable {
    /// Sends without an answer; whether it came nobody learns.
    func send(_ verb: Verb, _ body: [UInt8], to node: NodeID)

    /// Sends and waits for the answer.
    func request(
        _ verb: Verb, _ body: [UInt8], to node: NodeID, timeout: Duration
    ) async throws(MessageFailure) -> [UInt8]

    /// As `request`, to an address of which nobody knows yet which node has it: what a new node asks its seeds.
    func request(
        _ verb: Verb, _ body: [UInt8], at address: SocketAddress, timeout: Duration
    ) async throws(MessageFailure) -> (sender: NodeID, body: [UInt8])

    /// Names who carries out the requests of a verb, on loop 0. An empty answer goes back to the sender of a one-way
    /// message and is dropped there. Called at start, before messages come.
    func handle(_ verb: Verb, _ body: @escaping @Sendable (IncomingMessage) async throws -> [UInt8])
}
