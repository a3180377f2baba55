internal import CQL

/// The replication of a keyspace: checked, and in the form that is kept.
struct ReplicationOptions {
    private static let package = "org.apache.cassandra.locator."
    private static let factorName = "replication_factor"

    enum Strategy: String, CaseIterable {
        case simple = "SimpleStrategy"
        case networkTopology = "NetworkTopologyStrategy"
        case local = "LocalStrategy"
        case everywhere = "EverywhereStrategy"
    }

    let strategy: Strategy
    private(set) var options: [String: String]

    /// - Parameters:
    ///   - map: what the statement says.
    ///   - previous: the options until now, without the class; empty for a new keyspace.
    init(
        _ map: [String: String], previous: [String: String], keyspace: String, context: SchemaContext
    ) throws(CQLError) {
        // An empty map names no class, which only a new keyspace can be given.
        guard let writtenName = map["class"] else {
            throw .configError(message: "Missing replication strategy class")
        }
        self.strategy = try ReplicationOptions.strategy(named: writtenName)
        self.options = map
        options["class"] = nil
        if strategy == .local, !context.canChangeSystemKeyspaces {
            throw .invalid(
                message: "Unable to use given strategy class: LocalStrategy is reserved for internal use.")
        }
        switch strategy {
        case .simple: try completeSimple(previous: previous, context: context)
        case .networkTopology: try completeTopology(previous: previous, context: context)
        case .local, .everywhere: break
        }
        try check(keyspace: keyspace, dataCenters: context.dataCenters)
    }

    /// What is kept: the full class name and the options.
    var map: [String: String] {
        options.merging(["class": ReplicationOptions.package + strategy.rawValue]) { _, name in name }
    }

    /// How many replicas the options of a keyspace ask for, over all data centres.
    static func replicaCount(_ replication: [String: String]) -> Int {
        replication.reduce(0) { sum, option in option.key == "class" ? sum : sum &+ (Int(option.value) ?? 0) }
    }

    /// What people should know who ask for more replicas than there are nodes.
    func warnings(keyspace: String, context: SchemaContext) -> [String] {
        if SystemKeyspaceNames.isSystem(keyspace) { return [] }
        var warnings: [String] = []
        for name in options.keys.sorted() {
            let isSimple: Bool = strategy == .simple
            let nodeCount: Int =
                isSimple ? context.dataCenters.values.reduce(0, +) : context.dataCenters[name] ?? 0
            guard let factor = options[name].flatMap({ Int($0) }), factor > nodeCount, nodeCount != 0 else { continue }
            let place: String = isSimple ? "" : " for datacenter \(name)"
            warnings.append(
                "Your replication factor \(factor) for keyspace \(keyspace) is higher than the number of nodes "
                    + "\(nodeCount)\(place)")
        }
        return warnings
    }

    private static func strategy(named name: String) throws(CQLError) -> Strategy {
        let className: String = name.contains(".") ? name : package + name
        if className == package + "OldNetworkTopologyStrategy" {
            throw .configError(
                message: "The support for the OldNetworkTopologyStrategy has been removed in C* version 4.0. "
                    + "The keyspace strategy should be switch to NetworkTopologyStrategy")
        }
        guard let strategy = Strategy.allCases.first(where: { package + $0.rawValue == className }) else {
            throw .configError(message: "Unable to find replication strategy class '\(className)'")
        }
        return strategy
    }

    private mutating func completeSimple(previous: [String: String], context: SchemaContext) throws(CQLError) {
        if options[ReplicationOptions.factorName] == nil {
            options[ReplicationOptions.factorName] =
                previous[ReplicationOptions.factorName] ?? String(context.defaultReplicationFactor)
        }
    }

    /// Spreads `replication_factor` over the data centres that have no factor of their own.
    ///
    /// Data centres that had a factor keep it, so that naming a factor for all does not quietly change them.
    private mutating func completeTopology(previous: [String: String], context: SchemaContext) throws(CQLError) {
        let factorName: String = ReplicationOptions.factorName
        if options.isEmpty { options[factorName] = previous[factorName] ?? String(context.defaultReplicationFactor) }
        if let factor = options.removeValue(forKey: factorName) {
            for (name, value) in previous where name != factorName && options[name] == nil { options[name] = value }
            let checked = try ReplicationOptions.factor(factor)
            for name in context.dataCenters.keys where options[name] == nil { options[name] = String(checked) }
        }
        options = options.filter { $0.value != "0" }
    }

    private func check(keyspace: String, dataCenters: [String: Int]) throws(CQLError) {
        let names: [String] = options.keys.sorted()
        if strategy == .networkTopology, names.isEmpty {
            throw .configError(message: "Configuration for at least one datacenter must be present")
        }
        for name in names where !isKnown(name, dataCenters) {
            throw .configError(
                message: "Unrecognized strategy option {\(name)} passed to \(strategy.rawValue) for keyspace "
                    + keyspace)
        }
        for name in names { _ = try ReplicationOptions.factor(options[name] ?? "") }
    }

    private func isKnown(_ name: String, _ dataCenters: [String: Int]) -> Bool {
        switch strategy {
        case .simple: name == ReplicationOptions.factorName
        case .networkTopology: dataCenters[name] != nil
        case .local, .everywhere: false
        }
    }

    private static func factor(_ text: String) throws(CQLError) -> Int {
        if text.contains("/") {
            throw .configError(message: "Transient replication is not enabled on this node")
        }
        guard let factor = Int32(text) else { throw .configError(message: "For input string: \"\(text)\"") }
        guard factor >= 0 else {
            throw .configError(message: "Replication factor must be non-negative, found \(factor)")
        }
        return Int(factor)
    }
}
