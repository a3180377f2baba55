package import Cluster
package import DataModel
package import Primitives

/// How long the parts of a decision may take.
package struct PaxosTimeouts: Sendable, Hashable {
    /// Until nothing more is begun (`cas_contention_timeout`).
    package var contention: Duration
    /// For replicas to accept or commit (`write_request_timeout`).
    package var write: Duration

    package init(contention: Duration = .milliseconds(1_800), write: Duration = .seconds(2)) {
        self.contention = contention
        self.write = write
    }
}

/// What is to be decided, or read, about one partition.
package struct PaxosRequest {
    package let key: [UInt8]
    package let plan: ReplicaPlan
    /// SERIAL or LOCAL_SERIAL: whose agreement counts.
    package let serial: Consistency
    /// At which level what was decided has to be written.
    package let commit: Consistency
    /// What has to be read of the partition; its command names the one partition.
    package let read: PageRequest
    package let timeouts: PaxosTimeouts
    /// Told what is done, by this node and by the replicas.
    package let trace: RequestTrace?

    package init(
        key: [UInt8], plan: ReplicaPlan, serial: Consistency, commit: Consistency, read: PageRequest,
        timeouts: PaxosTimeouts, trace: RequestTrace? = nil
    ) {
        self.key = key
        self.plan = plan
        self.serial = serial
        self.commit = commit
        self.read = read
        self.timeouts = timeouts
        self.trace = trace
    }

    package var table: UUID { read.table }
    package var token: Token { Token(ofKey: key.span.bytes) }
}

/// What whoever asks for a decision makes of what was read.
package struct PaxosChoice<Result> {
    /// Nil when the condition does not hold, or there is nothing to write.
    package let mutation: [UInt8]?
    package let result: Result

    package init(mutation: [UInt8]?, result: Result) {
        self.mutation = mutation
        self.result = result
    }
}
