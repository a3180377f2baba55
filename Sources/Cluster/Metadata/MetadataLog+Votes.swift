import Environment
import Primitives

/// What other nodes ask of this one.
extension MetadataLog {
    func registerHandlers() {
        for verb in [Verb.metadataPrepare, .metadataAccept] {
            messenger.handle(verb) { message in try await self.vote(message) }
        }
        messenger.handle(.metadataCommit) { message in try await self.commit(message) }
        messenger.handle(.metadataFetch) { message in try await self.fetch(message) }
    }

    /// A voter's answer to `metadataPrepare` or `metadataAccept`.
    func vote(_ message: IncomingMessage) async throws -> [UInt8] {
        let request: VoteRequest = try MetadataLog.read { () throws(DecodingError) in try VoteRequest(message) }
        try checkCluster(request.clusterID)
        if let known = metadata?.epoch, request.epoch > known + 1 {
            // When the proposer cannot say what happened before, this node has no vote and says so below.
            _ = await catchUp(from: message.sender)
        }
        await enter(.write)
        defer { leave(.write) }
        let answer: EpochAcceptor.Answer = try await answer(to: request)
        return MetadataMessages.encode(answer)
    }

    /// The caller has the turn to write. The answer is not given before the state that it speaks of is durable.
    private func answer(to request: VoteRequest) async throws -> EpochAcceptor.Answer {
        guard let metadata, !isStopped else { return .behind(epoch: 0) }
        if request.epoch == metadata.epoch + 1, !metadata.voters.contains(identity.id) { return .notVoter }
        var next: EpochAcceptor = acceptor
        let answer: EpochAcceptor.Answer
        switch request.question {
        case .prepare(let ballot): answer = next.prepare(ballot, of: request.epoch, known: metadata.epoch)
        case .accept(let proposal): answer = next.accept(proposal, known: metadata.epoch)
        }
        if next != acceptor {
            do { try await store.save(next) } catch {
                throw Refusal(code: MetadataMessages.diskFailed, reason: "\(error)")
            }
            acceptor = next
        }
        return answer
    }

    private func commit(_ message: IncomingMessage) async throws -> [UInt8] {
        let commit: MetadataMessages.Commit = try MetadataLog.read { () throws(DecodingError) in
            try MetadataMessages.decodeCommit(message.body)
        }
        try checkCluster(commit.clusterID)
        guard let known = metadata?.epoch else { return [] }
        if commit.edit.epoch > known + 1 { _ = await catchUp(from: message.sender) }
        do { try await learn(commit.edit) } catch {
            throw Refusal(code: MetadataMessages.diskFailed, reason: "\(error)")
        }
        await delivered(commit.edit.epoch)
        return []
    }

    private func fetch(_ message: IncomingMessage) async throws -> [UInt8] {
        let fetch: MetadataMessages.Fetch = try MetadataLog.read { () throws(DecodingError) in
            try MetadataMessages.decodeFetch(message.body)
        }
        guard let metadata else { return MetadataMessages.encode(MetadataMessages.Fetched.nothing) }
        if fetch.clusterID != MetadataMessages.noCluster { try checkCluster(fetch.clusterID) }
        return MetadataMessages.encode(answer(after: fetch.after, metadata))
    }

    private func answer(after known: UInt64, _ metadata: ClusterMetadata) -> MetadataMessages.Fetched {
        if known >= metadata.epoch { return .edits([], epoch: metadata.epoch) }
        guard known > 0, let first = recent.first, first.epoch <= known + 1 else { return .snapshot(metadata) }
        var edits: [MetadataEdit] = []
        var byteCount = 0
        for edit in recent where edit.epoch > known {
            edits.append(edit)
            byteCount += edit.byteCount
            if edits.count == MetadataMessages.maximumEditCount || byteCount > MetadataMessages.editsByteCount { break }
        }
        return .edits(edits, epoch: metadata.epoch)
    }

    private func checkCluster(_ id: UUID) throws {
        guard let known = metadata?.clusterID, known != id else { return }
        throw Refusal(code: MetadataMessages.anotherCluster, reason: "This node belongs to another cluster")
    }

    static func read<Value>(_ body: () throws(DecodingError) -> Value) throws -> Value {
        do throws(DecodingError) { return try body() } catch {
            throw Refusal(code: MetadataMessages.malformed, reason: "\(error)")
        }
    }
}

/// What a proposer asks a voter.
private struct VoteRequest {
    enum Question {
        case prepare(MetadataBallot)
        case accept(AcceptedEdit)
    }

    let clusterID: UUID
    let epoch: UInt64
    let question: Question

    init(_ message: IncomingMessage) throws(DecodingError) {
        if message.verb == .metadataPrepare {
            let prepare: MetadataMessages.Prepare = try MetadataMessages.decodePrepare(message.body)
            self.clusterID = prepare.clusterID
            self.epoch = prepare.epoch
            self.question = .prepare(prepare.ballot)
        } else {
            let accept: MetadataMessages.Accept = try MetadataMessages.decodeAccept(message.body)
            self.clusterID = accept.clusterID
            self.epoch = accept.proposal.edit.epoch
            self.question = .accept(accept.proposal)
        }
    }
}
