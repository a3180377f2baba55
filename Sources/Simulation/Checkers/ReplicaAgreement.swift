/// Holds what the replicas of a row have at the end against each other.
package struct ReplicaAgreement: Sendable {
    package init() {}

    /// - Parameter readings: what each replica of the row holds.
    package func violation(_ readings: [ReplicaReading], of subject: String) -> Violation? {
        guard let first = readings.first, readings.contains(where: { $0.result != first.result }) else { return nil }
        return Violation(
            .replicasAgree, subject: subject, reason: "replicas hold different versions",
            history: readings.map { "node \($0.node): \($0.result)" })
    }
}
