import Environment
package import Primitives

/// Traced messages. All of it is cold: traced requests are few.
///
///     request := session (16) · body
///     answer  := events · body
extension ShardMessages {
    private static let sessionByteCount = 16

    /// The story of the request to be answered at a place; nil when it is not traced.
    package func trace(of place: ReplyPlace) -> RequestTrace? {
        place.isTraced ? openTraces.find(place.trace) : nil
    }

    /// Has the answer at a place take another story along than that of the message.
    package func place(_ place: ReplyPlace, with trace: RequestTrace) -> ReplyPlace {
        place.with(trace: openTraces.insert(trace, until: place.deadlineNanoseconds, now: now))
    }

    /// A trace that begins at this node now.
    package func makeTrace(_ id: UUID) -> RequestTrace {
        RequestTrace(id: id, source: context.identity.address, host: context.host)
    }

    /// Where a node is, as traces write it.
    package func traceText(of node: NodeID) -> String {
        let address: SocketAddress? =
            node == context.identity.node ? context.identity.address : directory.places[node]?.address
        return address.traceText
    }

    /// Hands over a traced request.
    func dispatchTraced(_ body: UnsafeRawBufferPointer, _ link: PeerLink, _ place: ReplyPlace) {
        let span = unsafe RawSpan(_unsafeBytes: body)
        guard let session = UUID(span) else {
            return fail(place, code: TransportFailure.handlerFailed, reason: "The message is cut short")
        }
        let trace: RequestTrace = makeTrace(session)
        let verb: String = Verb(rawValue: place.verbNumber)?.traceName ?? "UNKNOWN"
        trace.add("\(verb)_REQ message received from \(link.traceText)")
        let rest = UnsafeRawBufferPointer(rebasing: body[ShardMessages.sessionByteCount...])
        carryOut(rest, link, self.place(place, with: trace))
    }

    /// Gives the events of a traced answer to who waits for it; returns the answer's own body, or nil when it is damaged.
    func takeEvents(
        of body: UnsafeRawBufferPointer, for receiver: any ReplyReceiver
    ) -> UnsafeRawBufferPointer? {
        var reader = ByteReader(unsafe RawSpan(_unsafeBytes: body))
        guard let events = try? TraceEvent.read(from: &reader) else { return nil }
        (receiver as? TracedReceiver)?.took(events)
        return UnsafeRawBufferPointer(rebasing: body[reader.offset...])
    }

    /// Begins an answer with what has happened here.
    func beginTracedReply(_ place: ReplyPlace, _ flags: UInt8, _ link: PeerLink) -> PeerLink? {
        guard let trace = openTraces.take(place.trace) else { return link.beginAnswer(place, flags) ? link : nil }
        guard link.beginAnswer(place, flags | MessageHeader.traced) else { return nil }
        trace.add("Enqueuing response to \(link.traceText)")
        TraceEvent.write(trace.takeEvents(), to: &link.output)
        return link
    }
}

extension PeerLink {
    /// Where the other end is, as traces write it.
    var traceText: String { role == .local ? shard.traceText(of: peer) : address.traceText }

    /// Begins a request that is part of what `trace` tells of; one like any other without it.
    ///
    /// Hot: once per message of a write; nothing but a test for those that are not traced.
    @inlinable
    public func begin(
        _ verb: Verb, for receiver: any ReplyReceiver, tag: UInt64, timeoutMilliseconds: UInt32, placement: UInt64 = 0,
        trace: RequestTrace?
    ) -> SendOutcome {
        guard let trace else {
            return begin(
                verb, for: receiver, tag: tag, timeoutMilliseconds: timeoutMilliseconds, placement: placement)
        }
        return beginTraced(verb, receiver, tag, timeoutMilliseconds, placement, trace)
    }

    @usableFromInline
    func beginTraced(
        _ verb: Verb, _ receiver: any ReplyReceiver, _ tag: UInt64, _ timeoutMilliseconds: UInt32,
        _ placement: UInt64, _ trace: RequestTrace
    ) -> SendOutcome {
        let traced: any ReplyReceiver = self.traced(receiver, trace, verb)
        let outcome: SendOutcome = begin(
            verb, for: traced, tag: tag, timeoutMilliseconds: timeoutMilliseconds, placement: placement)
        if outcome == .ready {
            trace.add("Sending \(verb.traceName)_REQ message to \(traceText)")
            markTraced(trace.id)
        } else {
            trace.add("Cannot send a \(verb.traceName)_REQ message to \(traceText)")
        }
        return outcome
    }

    /// Who waits in the place of `receiver` for an answer that this link gets, where the request is traced.
    package func traced(_ receiver: any ReplyReceiver, _ trace: RequestTrace, _ verb: Verb) -> any ReplyReceiver {
        TracedReceiver(receiver, trace, verb, from: traceText)
    }
}
