package import CQL
package import DataModel

extension CQLType {
    /// The scalar type that a statement names.
    package init(_ name: NativeTypeName) {
        self = CQLType.scalar(named: name.rawValue) ?? .blob
    }
}
