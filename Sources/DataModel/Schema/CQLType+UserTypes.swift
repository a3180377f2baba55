/// How types refer to user-defined types, which are held by value: a change of one must be carried into all others.
extension CQLType {
    /// Whether the user-defined type of this name is this type or somewhere inside it.
    package func refersToUserType(_ name: String) -> Bool {
        if case .userDefined(let type, _) = self, type.name == name { return true }
        return parts.contains { $0.refersToUserType(name) }
    }

    /// The same type with `changed` in the place of every user-defined type of its name.
    package func replacingUserType(_ changed: UserDefinedType) -> CQLType {
        switch self {
        case .list(let element, let isMultiCell):
            return .list(element.replacingUserType(changed), isMultiCell: isMultiCell)
        case .set(let element, let isMultiCell):
            return .set(element.replacingUserType(changed), isMultiCell: isMultiCell)
        case .map(let key, let value, let isMultiCell):
            return .map(
                key.replacingUserType(changed), value.replacingUserType(changed), isMultiCell: isMultiCell)
        case .tuple(let fields): return .tuple(fields.map { $0.replacingUserType(changed) })
        case .vector(let element, let dimension):
            return .vector(element.replacingUserType(changed), dimension: dimension)
        case .userDefined(let type, let isMultiCell):
            if type.name == changed.name { return .userDefined(changed, isMultiCell: isMultiCell) }
            return .userDefined(type.replacingUserType(changed), isMultiCell: isMultiCell)
        default: return self
        }
    }

    /// The same type with tuples in the place of user-defined types, which a dropped column may outlive.
    package var withoutUserTypes: CQLType {
        switch self {
        case .list(let element, let isMultiCell): .list(element.withoutUserTypes, isMultiCell: isMultiCell)
        case .set(let element, let isMultiCell): .set(element.withoutUserTypes, isMultiCell: isMultiCell)
        case .map(let key, let value, let isMultiCell):
            .map(key.withoutUserTypes, value.withoutUserTypes, isMultiCell: isMultiCell)
        case .tuple(let fields): .tuple(fields.map(\.withoutUserTypes))
        case .vector(let element, let dimension): .vector(element.withoutUserTypes, dimension: dimension)
        case .userDefined(let type, _): .tuple(type.fieldTypes.map(\.withoutUserTypes))
        default: self
        }
    }

    /// How many types are written out in this one, counting stops at `limit`.
    ///
    /// User-defined types that hold each other twice double with every level, so an unbounded count could take forever.
    package func partCount(upTo limit: Int) -> Int {
        var count = 1
        for part in parts {
            if count >= limit { return limit }
            count += part.partCount(upTo: limit - count)
        }
        return min(count, limit)
    }
}

extension UserDefinedType {
    /// The same type with `changed` in the place of every user-defined type of its name inside the fields.
    package func replacingUserType(_ changed: UserDefinedType) -> UserDefinedType {
        var copy = self
        copy.fieldTypes = fieldTypes.map { $0.replacingUserType(changed) }
        return copy
    }
}

extension KeyspaceDefinition {
    /// The types such that each comes after those that it refers to, otherwise in ascending order of name.
    package var typesInDependencyOrder: [UserDefinedType] {
        var ordered: [UserDefinedType] = []
        var visited: Set<String> = []
        func visit(_ type: UserDefinedType) {
            guard visited.insert(type.name).inserted else { return }
            for other in sortedTypes where other.name != type.name {
                if type.fieldTypes.contains(where: { $0.refersToUserType(other.name) }) { visit(other) }
            }
            ordered.append(type)
        }
        for type in sortedTypes { visit(type) }
        return ordered
    }

    /// The same keyspace with `changed` in the place of the type of its name, in all types and tables.
    package func replacingUserType(_ changed: UserDefinedType) -> KeyspaceDefinition {
        var copy = self
        copy.types[changed.name] = changed
        for type in types.values where type.name != changed.name {
            copy.types[type.name] = type.replacingUserType(changed)
        }
        for table in tables.values where table.columns.contains(where: { $0.type.refersToUserType(changed.name) }) {
            let columns: [ColumnDefinition] = table.columns.map { column in
                var replaced = column
                replaced.type = column.type.replacingUserType(changed)
                return replaced
            }
            copy.tables[table.name] = table.replacingColumns(columns)
        }
        return copy
    }
}
