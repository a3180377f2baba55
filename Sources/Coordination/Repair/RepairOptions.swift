package import Cluster
package import DataModel
import Storage

/// What an operator wants repaired, and how (`nodetool repair`).
package struct RepairOptions: Hashable, Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        /// What is known to be unchanged is not read again.
        case incremental
        /// Everything is read.
        case full
        /// Differences are counted, and nothing is changed.
        case preview
        /// Everything is read and held against what was known of it, and nothing is changed.
        case validate
    }

    package var keyspace: String
    /// Empty for all.
    package var tables: [String] = []
    package var kind = Kind.incremental
    package var parallelism = RepairManner.Parallelism.parallel
    /// Only ranges of which this node is the primary replica (`-pr`).
    package var isPrimaryOnly = false
    /// Only these tokens (`-st`, `-et`).
    package var range: RingRange?
    /// Only replicas in these data centres (`--in-dc`); empty for all.
    package var datacenters: [String] = []
    /// Only these replicas (`--in-hosts`); empty for all.
    package var hosts: [NodeID] = []
    /// Whether replicas that are down are left out (`--force`).
    package var isForced = false
    /// How many ranges are repaired at the same time (`-j`).
    package var jobCount = 1

    package static let jobLimit = 4

    package init(keyspace: String) {
        self.keyspace = keyspace
    }

    package var manner: RepairManner {
        var manner = RepairManner()
        manner.parallelism = parallelism
        manner.isPreview = kind == .preview || kind == .validate
        switch kind {
        case .incremental, .preview: manner.mode = .cached
        case .full: manner.mode = .fresh
        case .validate: manner.mode = .verify
        }
        return manner
    }
}

/// Why a repair was not begun.
package enum RepairRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownDatacenter(String)
    case localDatacenterMissing(String)
    case unknownHost(NodeID)
    case localHostMissing
    /// A part of the replicas would not see the ranges for which they are the primary ones.
    case primaryOfSome
    case tooManyJobs(limit: Int)
    case replication(String)

    package var description: String {
        switch self {
        case .unknownDatacenter(let name): "There is no data centre \(name)."
        case .localDatacenterMissing(let name): "The data centre of this node, \(name), must be part of the repair."
        case .unknownHost(let node): "There is no node \(node)."
        case .localHostMissing: "This node must be part of the repair."
        case .primaryOfSome:
            "Primary ranges are repaired on all replicas: they cannot be combined with data centres or hosts."
        case .tooManyJobs(let limit): "\(limit) repairs are running already."
        case .replication(let failure): failure
        }
    }
}

/// Which ranges a repair consists of, and who takes part in each. A pure value.
package struct RepairPlan: Hashable, Sendable {
    /// In the order of tables, then of ranges.
    package private(set) var targets: [RepairTarget] = []

    /// - Parameter isAlive: who is up: with `isForced` the others are left out.
    package init(
        _ options: RepairOptions, tables: [RepairTable], topology: Topology, local: NodeID,
        isAlive: (NodeID) -> Bool
    ) throws(RepairRefusal) {
        try RepairPlan.check(options, topology, local)
        for table in tables {
            let placement: Placement
            do throws(ReplicationError) {
                placement = try topology.placement(for: table.replication)
            } catch { throw .replication("\(error)") }
            let shares: [NodeID: Double] = placement.shares
            for placed in placement.scanRanges where RepairPlan.isWanted(placed, options, local) {
                let parts: [RingRange] = options.range.map { placed.range.intersection($0) } ?? [placed.range]
                for part in parts {
                    targets +=
                        RepairPlan.target(table, part, placed.replicas, options, shares, isAlive).map { [$0] } ?? []
                }
            }
        }
    }

    /// All ranges of a table that several nodes have, with all their replicas.
    package init(everythingOf table: RepairTable, topology: Topology) throws(RepairRefusal) {
        var options = RepairOptions(keyspace: table.keyspace)
        options.range = .wholeRing
        try self.init(options, tables: [table], topology: topology, local: .none) { _ in true }
    }

    private static func check(
        _ options: RepairOptions, _ topology: Topology, _ local: NodeID
    ) throws(RepairRefusal) {
        let isSelective: Bool = !options.datacenters.isEmpty || !options.hosts.isEmpty
        if options.isPrimaryOnly, isSelective { throw .primaryOfSome }
        for name in options.datacenters where !topology.datacenters.contains(name) { throw .unknownDatacenter(name) }
        if !options.datacenters.isEmpty, !options.datacenters.contains(topology.localDatacenter) {
            throw .localDatacenterMissing(topology.localDatacenter)
        }
        for host in options.hosts where topology.member(host) == nil { throw .unknownHost(host) }
        if !options.hosts.isEmpty, !options.hosts.contains(local) { throw .localHostMissing }
    }

    /// Whether a range is one of those that a command to this node is about: those it holds; with tokens named, whoever
    /// holds them.
    private static func isWanted(_ placed: PlacedRange, _ options: RepairOptions, _ local: NodeID) -> Bool {
        if options.isPrimaryOnly { return placed.replicas.natural.first == local }
        return options.range != nil || placed.replicas.containsNatural(local)
    }

    /// Nil when there is nobody to compare with.
    private static func target(
        _ table: RepairTable, _ range: RingRange, _ set: ReplicaSet, _ options: RepairOptions,
        _ shares: [NodeID: Double], _ isAlive: (NodeID) -> Bool
    ) -> RepairTarget? {
        let positions: [Int] = set.natural.indices.filter { position in
            let node: NodeID = set.natural[position]
            if !options.datacenters.isEmpty, !options.datacenters.contains(set.datacenter(at: position)) {
                return false
            }
            if !options.hosts.isEmpty, !options.hosts.contains(node) { return false }
            return !options.isForced || isAlive(node)
        }
        guard positions.count > 1 else { return nil }
        let replicas: [NodeID] = positions.map { set.natural[$0] }
        return RepairTarget(
            table: table, range: range, replicas: replicas, shares: replicas.map { shares[$0] ?? 0 },
            isComplete: positions.count == set.natural.count && set.pending.isEmpty,
            datacenters: positions.map { set.datacenter(at: $0) })
    }

    /// Who has some tokens; nil when not all of them have the same owners, or when that is about to change.
    package static func owners(of tokens: ClosedRange<Token>, in placement: Placement) -> Set<NodeID>? {
        var owners: Set<NodeID>?
        for placed in placement.scanRanges where placed.range.tokens?.overlaps(tokens) == true {
            let found: Set<NodeID> = Set(placed.replicas.natural)
            guard placed.replicas.pending.isEmpty, owners == nil || owners == found else { return nil }
            owners = found
        }
        return owners
    }
}
