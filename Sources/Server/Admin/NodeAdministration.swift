package import Administration

/// What an operator may ask of a node and have it do, whatever carries the question.
///
/// `AdminServer` puts it on the admin port; `LiveAdministration` implements it over the parts of a node. Methods may be
/// called from anywhere; those that throw throw `.unavailable` while the node starts or stops.
package protocol NodeAdministration: Sendable {
    func readiness() async -> Readiness
    func version() async -> VersionReport
    func node() async throws(AdminFailure) -> NodeReport
    /// - Parameters:
    ///   - keyspace: for which ownership is counted; nil for all, as far as they are replicated alike.
    ///   - includesTokens: whether the tokens are wanted, and not their number only.
    /// - Throws: `.invalid` when there is no such keyspace.
    func ring(keyspace: String?, includesTokens: Bool) async throws(AdminFailure) -> RingReport
    func cluster() async throws(AdminFailure) -> ClusterReport
    func gossip() async throws(AdminFailure) -> GossipReport
    func failureDetector() async throws(AdminFailure) -> DetectorReport
    func network() async throws(AdminFailure) -> NetworkReport
    /// The replicas of a partition.
    ///
    /// - Parameter key: its key as text; the columns of a composite key are separated by `:`.
    /// - Throws: `.invalid` when there is no such table, or the key is no value of its type.
    func replicas(keyspace: String, table: String, key: String) async throws(AdminFailure) -> ReplicasReport
    func handoff() async throws(AdminFailure) -> HandoffReport
    func setHandoff(enabled: Bool) async throws(AdminFailure)
    func pendingHints() async throws(AdminFailure) -> PendingHintsReport
    /// Forgets hints.
    ///
    /// - Parameter node: of one node, by its host id or its address; of all when nil.
    /// - Throws: `.invalid` when the node is unknown.
    func truncateHints(of node: String?) async throws(AdminFailure)
    /// Paths of its own, beside those that every node has.
    var routes: [AdminRoute] { get }
}

extension NodeAdministration {
    package var routes: [AdminRoute] { [] }
}
