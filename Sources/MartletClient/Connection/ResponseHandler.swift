public import CQL

/// What a `PipelinedConnection` tells its owner, always on the connection's loop.
public protocol ResponseHandler: AnyObject {
    /// The answer to the request on `stream` has come. The stream is free again; further requests may be sent at once.
    ///
    /// Hot: once for every request. The body of the envelope is valid for the duration of the call.
    func completed(_ stream: Int16, _ envelope: Envelope)

    /// The server tells something without having been asked.
    func pushed(_ envelope: Envelope)

    /// All answers that could be read for now have been handed over; what was sent meanwhile leaves afterwards.
    func receiveCompleted()

    /// The server has taken everything that was sent, after it had not kept up.
    func drained()

    /// The connection has ended; requests without an answer get none. The last call.
    func closed(_ error: ClientError)
}

extension ResponseHandler {
    public func pushed(_ envelope: Envelope) {}
    public func receiveCompleted() {}
    public func drained() {}
}
