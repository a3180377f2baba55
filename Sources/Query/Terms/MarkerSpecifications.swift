package import CQL
import DataModel

/// What the bind markers of a statement stand for, filled in while it is planned and told to clients that prepare it.
package struct MarkerSpecifications: Sendable {
    private var found: [ColumnSpecification?]
    private let names: [String?]
    /// For each column of the partition key, the marker that gives it, when one does.
    package var partitionKeyMarkers: [Int?]

    package init(_ markers: [BindMarker]) {
        self.found = Array(repeating: nil, count: markers.count)
        self.names = markers.map(\.name)
        self.partitionKeyMarkers = []
    }

    package var count: Int { found.count }

    /// Says what the marker at `index` stands for; a named marker shows its own name.
    package mutating func set(_ index: Int, _ specification: ColumnSpecification) {
        guard found.indices.contains(index) else { return }
        var shown = specification
        if let name = names[index] { shown.name = name }
        found[index] = shown
    }

    package func name(of index: Int) -> String? { names[index] }

    /// All markers; every one must have been reached by now.
    package func complete() throws(CQLError) -> [ColumnSpecification] {
        var all: [ColumnSpecification] = []
        for specification in found {
            guard let specification else {
                throw .invalid(message: "Cannot infer type of a bind marker; add a type hint in front of it")
            }
            all.append(specification)
        }
        return all
    }

    /// The partition key's markers, when every column of the key has one of its own; empty otherwise.
    package var routingIndexes: [UInt16] {
        var indexes: [UInt16] = []
        for marker in partitionKeyMarkers {
            guard let marker, let index = UInt16(exactly: marker) else { return [] }
            indexes.append(index)
        }
        return indexes
    }
}
