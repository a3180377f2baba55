package import CQL
package import DataModel

/// A function of values that gives one value: built in, or made up for a place in a statement such as `m[k]`.
package struct ScalarFunction: Sendable {
    package typealias Body = @Sendable ([[UInt8]?], borrowing Bindings) throws(CQLError) -> [UInt8]?

    /// With its keyspace, as error texts and result columns show it.
    package let name: String
    package let argumentTypes: [CQLType]
    package let returnType: CQLType
    private let body: Body

    package init(_ name: String, _ argumentTypes: [CQLType], returns returnType: CQLType, body: @escaping Body) {
        self.name = name
        self.argumentTypes = argumentTypes
        self.returnType = returnType
        self.body = body
    }

    /// Calls the function; nil is null.
    package func call(_ arguments: [[UInt8]?], _ bindings: borrowing Bindings) throws(CQLError) -> [UInt8]? {
        try body(arguments, bindings)
    }
}
