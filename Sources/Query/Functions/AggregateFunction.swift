package import CQL
package import DataModel

/// A function over many rows.
package struct AggregateFunction: Sendable {
    package let name: String
    package let returnType: CQLType
    private let make: @Sendable () -> any AggregateState

    package init(_ name: String, returns returnType: CQLType, make: @escaping @Sendable () -> any AggregateState) {
        self.name = name
        self.returnType = returnType
        self.make = make
    }

    package func makeState() -> any AggregateState { make() }
}

/// What an aggregate has seen so far.
package protocol AggregateState: AnyObject {
    /// Adds a row's value; nulls are not added. `count(*)` is given nil for every row.
    func add(_ value: [UInt8]?) throws(CQLError)
    func result() throws(CQLError) -> [UInt8]?
}
