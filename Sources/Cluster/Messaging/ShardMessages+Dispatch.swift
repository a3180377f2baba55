import Environment
import Primitives

/// What happens to messages that come in, and how their answers go back.
extension ShardMessages {
    /// Hands a message to whom it is for.
    ///
    /// Hot: once per message.
    func dispatch(_ header: MessageHeader, _ body: UnsafeRawBufferPointer, _ link: PeerLink) {
        link.traffic.counts.receivedMessages &+= 1
        link.traffic.counts.receivedBytes &+= UInt64(header.messageByteCount)
        if header.isResponse { return complete(header, body, link) }
        guard header.timeoutMilliseconds > 0 else {
            link.traffic.counts.expiredIncoming &+= 1
            return
        }
        let deadline: UInt64 = now &+ UInt64(header.timeoutMilliseconds) &* 1_000_000
        let place = ReplyPlace(
            loopIndex: Int32(truncatingIfNeeded: loop.index), link: link.index, serial: link.serial,
            verbNumber: header.verbNumber, trace: 0, id: header.id, deadlineNanoseconds: deadline)
        if header.epoch < requiredEpoch, refusesAsStale(header, place) { return }
        if header.isTraced { return dispatchTraced(body, link, place) }
        carryOut(body, link, place)
    }

    @inline(__always)
    func carryOut(_ body: UnsafeRawBufferPointer, _ link: PeerLink, _ place: ReplyPlace) {
        if let handler = handler(of: place.verbNumber), let verb = Verb(rawValue: place.verbNumber) {
            handler.received(verb, from: link.peer, body: unsafe RawSpan(_unsafeBytes: body), reply: place)
        } else {
            handleSlowly(body, link, place)
        }
    }

    /// Cold: refuses a request that goes where its sender's placement says, and the data has moved. Whoever sent it learns
    /// from the answer's header that it is behind.
    private func refusesAsStale(_ header: MessageHeader, _ place: ReplyPlace) -> Bool {
        guard let verb = Verb(rawValue: header.verbNumber), verb.followsPlacement else { return false }
        fail(
            place, code: TransportFailure.stalePlacement,
            reason: "The request was planned by the placement of epoch \(header.epoch); needed is \(requiredEpoch)")
        return true
    }

    private func complete(_ header: MessageHeader, _ body: UnsafeRawBufferPointer, _ link: PeerLink) {
        let loopIndex: Int = RequestTable.loopIndex(of: header.id)
        if loopIndex != loop.index {
            guard loopIndex < siblings.count else {
                link.traffic.counts.lateAnswers &+= 1
                return
            }
            // A large answer came on a connection of its own, and the request was another loop's.
            let bytes = [UInt8](body)
            let sibling: ShardMessages = siblings[loopIndex]
            let node: NodeID = link.peer
            let lane: Lane = link.lane
            sibling.run { shard in
                let counter: TrafficCounter = shard.traffic(of: node, lane)
                bytes.withUnsafeBytes { shard.complete(header, $0, from: node, over: -1, counter) }
            }
            return
        }
        complete(header, body, from: link.peer, over: link.index, link.traffic)
    }

    private func complete(
        _ header: MessageHeader, _ body: UnsafeRawBufferPointer, from node: NodeID, over index: Int32,
        _ counter: TrafficCounter
    ) {
        let sent: Int32 = requests.link(of: header.id)
        // Only who was asked can answer.
        guard sent >= 0, sent == index || link(at: sent)?.peer == node, let taken = requests.take(header.id) else {
            counter.counts.lateAnswers &+= 1
            return
        }
        guard let own = header.isTraced ? takeEvents(of: body, for: taken.receiver) : body else {
            counter.counts.failedRequests &+= 1
            let failure = MessageFailure.malformed(node, "The events of a trace are damaged")
            return taken.receiver.failed(taken.tag, from: node, failure)
        }
        let span = unsafe RawSpan(_unsafeBytes: own)
        if header.isFailure {
            counter.counts.failedRequests &+= 1
            let failure: (code: UInt16, reason: String) = FailureBody.read(span)
            taken.receiver.failed(
                taken.tag, from: node, .refused(node, code: failure.code, reason: failure.reason))
        } else {
            counter.counts.answeredRequests &+= 1
            taken.receiver.replied(taken.tag, from: node, body: span)
        }
    }

    /// Hands over what this node has sent to itself.
    func deliverLocally(_ link: PeerLink) {
        swap(&link.output, &local)
        local.withUnsafeBytes { bytes in
            var offset = 0
            while let header = MessageHeader(bytes, at: offset) {
                let end: Int = offset &+ header.messageByteCount
                dispatch(
                    header, UnsafeRawBufferPointer(rebasing: bytes[(offset &+ MessageHeader.byteCount)..<end]), link)
                offset = end
            }
        }
        local.removeAll(keepingAtMost: MessageSettings.keptByteCount)
    }

    // MARK: Answers

    /// Begins the answer to a request: its body is to be written into the `output` of the link that is returned, and
    /// then `end` called there. Nil when nobody waits for it any more.
    ///
    /// Hot: once per request.
    public func beginReply(_ place: ReplyPlace) -> PeerLink? {
        beginReply(place, MessageHeader.response)
    }

    /// Answers that the request could not be carried out: a code that the verb defines, and words.
    public func fail(_ place: ReplyPlace, code: UInt16, reason: String) {
        guard let link = beginReply(place, MessageHeader.response | MessageHeader.failure) else { return }
        FailureBody.write(code: code, reason: reason, into: &link.output)
        link.end()
    }

    private func beginReply(_ place: ReplyPlace, _ flags: UInt8) -> PeerLink? {
        guard place.isWanted, let link = link(at: place.link), link.serial == place.serial else { return nil }
        guard now < place.deadlineNanoseconds else {
            link.traffic.counts.expiredOutgoing &+= 1
            return nil
        }
        if place.isTraced { return beginTracedReply(place, flags, link) }
        return link.beginAnswer(place, flags) ? link : nil
    }

    // MARK: Large messages

    /// Sends a whole message over the bulk lane. A request that cannot go fails.
    func sendBulk(_ message: [UInt8], _ id: UInt64, isAnswer: Bool, from link: PeerLink) {
        let bulk: PeerLink = self.link(to: link.peer, lane: .bulk)
        let milliseconds: UInt32 = message.withUnsafeBytes {
            UInt32(bigEndian: $0.loadUnaligned(fromByteOffset: MessageHeader.timeoutOffset, as: UInt32.self))
        }
        let waiting: UInt64 = isAnswer ? 10_000 : UInt64(milliseconds)
        let outcome: SendOutcome = bulk.adopt(message, deadline: now &+ waiting &* 1_000_000)
        if outcome == .ready {
            if !isAnswer { requests.move(id, to: bulk.index) }
        } else if let failure = outcome.failure(of: link.peer) {
            failLater(id, isAnswer: isAnswer, link, failure)
        }
    }

    /// Fails a request whose message cannot be sent, once the call that sends it has returned. Whoever asked for an
    /// answer that cannot be sent is told instead.
    func failLater(_ id: UInt64, isAnswer: Bool, _ link: PeerLink, _ failure: MessageFailure) {
        link.traffic.counts.undelivered &+= 1
        if isAnswer {
            let place = ReplyPlace(
                loopIndex: Int32(truncatingIfNeeded: loop.index), link: link.index, serial: link.serial,
                verbNumber: 0, trace: 0, id: id, deadlineNanoseconds: .max)
            return fail(place, code: TransportFailure.tooLarge, reason: "The answer cannot be sent: \(failure)")
        }
        loop.execute { [self] in
            guard let taken = requests.take(id) else { return }
            taken.receiver.failed(taken.tag, from: link.peer, failure)
        }
    }

    // MARK: Asynchronous handlers

    /// Has an asynchronous handler carry out a request, on the first loop.
    private func handleSlowly(_ body: UnsafeRawBufferPointer, _ link: PeerLink, _ place: ReplyPlace) {
        guard let verb = Verb(rawValue: place.verbNumber), let handler = context.handler(of: verb) else {
            return fail(
                place, code: TransportFailure.noHandler,
                reason: "This node has nobody who carries out messages of kind \(place.verbNumber)")
        }
        guard beginHandling(body.count, link) else {
            link.traffic.counts.overloadedIncoming &+= 1
            return fail(place, code: TransportFailure.overloaded, reason: "This node carries out as much as it may")
        }
        let message = IncomingMessage(verb: verb, sender: link.peer, body: [UInt8](body))
        let context: MessageContext = self.context
        context.host.background.run("message", on: context.host.loops[0]) { [self] in
            guard context.host.time.monotonicNanoseconds < place.deadlineNanoseconds else {
                return run { $0.expired(message, link) }
            }
            do {
                let answer: [UInt8] = try await handler(message)
                run { $0.handled(message, link, place, answer) }
            } catch let refusal as Refusal {
                run { $0.refused(message, link, place, refusal) }
            } catch {
                let refusal = Refusal(code: TransportFailure.handlerFailed, reason: "\(error)")
                run { $0.refused(message, link, place, refusal) }
            }
        }
    }

    private func expired(_ message: IncomingMessage, _ link: PeerLink) {
        link.traffic.counts.expiredIncoming &+= 1
        endHandling(message.body.count, link)
    }

    private func handled(_ message: IncomingMessage, _ link: PeerLink, _ place: ReplyPlace, _ answer: [UInt8]) {
        endHandling(message.body.count, link)
        guard let target = beginReply(place) else { return }
        target.output.write(answer)
        target.end()
    }

    private func refused(_ message: IncomingMessage, _ link: PeerLink, _ place: ReplyPlace, _ refusal: Refusal) {
        endHandling(message.body.count, link)
        fail(place, code: refusal.code, reason: refusal.reason)
    }
}
