package import CQL
package import DataModel

/// Finds out which type a name in a statement means, within one keyspace.
///
/// Only the outermost type may be multi-cell: tuples freeze what is in them, collections demand that it is frozen.
package struct TypeResolver {
    /// How many types a type may have written out. User-defined types that use each other twice double with every
    /// level; without a limit a few statements could fill the memory.
    package static let maximumPartCount = 10_000

    private let keyspace: String
    private let types: [String: UserDefinedType]

    package init(keyspace: KeyspaceDefinition) {
        self.keyspace = keyspace.name
        self.types = keyspace.types
    }

    private init(keyspace: String, types: [String: UserDefinedType]) {
        self.keyspace = keyspace
        self.types = types
    }

    /// The type that a name means among the user-defined `types` of a keyspace.
    package static func resolve(
        _ name: TypeName, keyspace: String, types: [String: UserDefinedType]
    ) throws(CQLError) -> CQLType {
        try TypeResolver(keyspace: keyspace, types: types).resolve(name)
    }

    package static func native(_ name: NativeTypeName) -> CQLType { CQLType.scalar(named: name.rawValue) ?? .text }

    /// - Throws: an invalid-request error with Cassandra's words.
    package func resolve(_ name: TypeName) throws(CQLError) -> CQLType {
        let type = try resolve(try name.checkingFrozen())
        guard type.partCount(upTo: TypeResolver.maximumPartCount) < TypeResolver.maximumPartCount else {
            throw .invalid(message: "The type \(name.writtenText) is made of too many other types")
        }
        return type
    }

    /// The type whose marks of frozenness have been checked and spread.
    private func resolve(_ name: FrozenTypeName) throws(CQLError) -> CQLType {
        switch name.kind {
        case .native(let native): return TypeResolver.native(native)
        case .custom(let className): return try custom(className)
        case .userDefined(let typeName): return try userDefined(typeName, isFrozen: name.isFrozen)
        case .tuple(let fields):
            var resolved: [CQLType] = []
            for field in fields {
                if field.isNative(.counter) { throw .invalid(message: "Counters are not allowed inside tuples") }
                resolved.append(try resolve(field).frozen)
            }
            return .tuple(resolved)
        case .vector(let element, let dimension):
            guard dimension > 0 else {
                throw .invalid(message: "vectors may only have positive dimensions; given \(dimension)")
            }
            if element.isNative(.counter) { throw .invalid(message: "Counters are not allowed inside vectors") }
            return .vector(try resolve(element).frozen, dimension: dimension)
        case .list, .set, .map: return try collection(name)
        }
    }

    private func collection(_ name: FrozenTypeName) throws(CQLError) -> CQLType {
        let written: String = name.writtenText
        func check(_ part: FrozenTypeName) throws(CQLError) {
            if !name.isFrozen, part.canBeFrozen, !part.isFrozen {
                let what: String = part.isUserDefined ? "UDTs" : "collections"
                throw .invalid(message: "Non-frozen \(what) are not allowed inside collections: \(written)")
            }
            if part.isNative(.counter) {
                throw .invalid(message: "Counters are not allowed inside collections: \(written)")
            }
        }
        switch name.kind {
        case .list(let element):
            try check(element)
            return .list(try resolve(element).frozen, isMultiCell: !name.isFrozen)
        case .set(let element):
            try check(element)
            if element.isNative(.duration) {
                throw .invalid(message: "Durations are not allowed inside sets: \(written)")
            }
            return .set(try resolve(element).frozen, isMultiCell: !name.isFrozen)
        case .map(let key, let value):
            try check(value)
            try check(key)
            if key.isNative(.duration) {
                throw .invalid(message: "Durations are not allowed as map keys: \(written)")
            }
            let keyType: CQLType = try resolve(key).frozen
            return .map(keyType, try resolve(value).frozen, isMultiCell: !name.isFrozen)
        default: return .blob
        }
    }

    private func userDefined(_ name: QualifiedName, isFrozen: Bool) throws(CQLError) -> CQLType {
        if let other = name.keyspace, other != keyspace {
            throw .invalid(
                message: "Statement on keyspace \(keyspace) cannot refer to a user type in keyspace \(other); "
                    + "user types can only be used in the keyspace they are defined in")
        }
        guard let type = types[name.name] else {
            throw .invalid(message: "Unknown type \(keyspace).\(name.name)")
        }
        return .userDefined(type, isMultiCell: !isFrozen)
    }

    private func custom(_ className: String) throws(CQLError) -> CQLType {
        do throws(InvalidValue) {
            let parsed = try MarshalClassName.parse(className)
            guard !parsed.isReversed else {
                throw InvalidValue("A column is reversed by CLUSTERING ORDER, not by its type")
            }
            return parsed.type
        } catch {
            throw .configError(message: "Error setting type \(className): \(error.message)")
        }
    }
}
