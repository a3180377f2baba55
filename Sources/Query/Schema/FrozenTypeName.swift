internal import CQL

/// The name of a type after `frozen<…>` has been spread over what it covers.
struct FrozenTypeName {
    indirect enum Kind {
        case native(NativeTypeName)
        case list(FrozenTypeName)
        case set(FrozenTypeName)
        case map(FrozenTypeName, FrozenTypeName)
        case tuple([FrozenTypeName])
        case vector(FrozenTypeName, Int)
        case userDefined(QualifiedName)
        case custom(String)
    }

    let kind: Kind
    let isFrozen: Bool

    var canBeFrozen: Bool {
        switch kind {
        case .native, .custom: false
        default: true
        }
    }

    var isUserDefined: Bool {
        if case .userDefined = kind { true } else { false }
    }

    func isNative(_ name: NativeTypeName) -> Bool {
        if case .native(let own) = kind { own == name } else { false }
    }

    /// The type as error messages write it.
    var writtenText: String {
        let plain: String
        switch kind {
        case .native(let name): return name.rawValue
        case .custom(let className): return "'\(className)'"
        case .tuple(let fields): return "tuple<\(fields.map(\.writtenText).joined(separator: ", "))>"
        case .vector(let element, let dimension): return "vector<\(element.writtenText), \(dimension)>"
        case .list(let element): plain = "list<\(element.writtenText)>"
        case .set(let element): plain = "set<\(element.writtenText)>"
        case .map(let key, let value): plain = "map<\(key.writtenText), \(value.writtenText)>"
        case .userDefined(let name): plain = (name.keyspace.map { $0 + "." } ?? "") + name.name
        }
        return isFrozen ? "frozen<\(plain)>" : plain
    }

    /// The same type frozen, and everything in it that can be.
    var frozen: FrozenTypeName {
        func inner(_ part: FrozenTypeName) -> FrozenTypeName { part.canBeFrozen ? part.frozen : part }
        switch kind {
        case .list(let element): return FrozenTypeName(kind: .list(inner(element)), isFrozen: true)
        case .set(let element): return FrozenTypeName(kind: .set(inner(element)), isFrozen: true)
        case .map(let key, let value): return FrozenTypeName(kind: .map(inner(key), inner(value)), isFrozen: true)
        case .userDefined: return FrozenTypeName(kind: kind, isFrozen: true)
        default: return self
        }
    }
}

extension TypeName {
    /// The type as error messages write it.
    var writtenText: String { (try? checkingFrozen().writtenText) ?? "" }

    /// - Throws: an invalid-request error for `frozen<>` around what is never anything else.
    func checkingFrozen() throws(CQLError) -> FrozenTypeName {
        switch self {
        case .native(let name): return FrozenTypeName(kind: .native(name), isFrozen: false)
        case .custom(let className): return FrozenTypeName(kind: .custom(className), isFrozen: false)
        case .userDefined(let name): return FrozenTypeName(kind: .userDefined(name), isFrozen: false)
        case .list(let element): return FrozenTypeName(kind: .list(try element.checkingFrozen()), isFrozen: false)
        case .set(let element): return FrozenTypeName(kind: .set(try element.checkingFrozen()), isFrozen: false)
        case .map(let key, let value):
            let keyName = try key.checkingFrozen()
            return FrozenTypeName(kind: .map(keyName, try value.checkingFrozen()), isFrozen: false)
        case .tuple(let fields):
            var names: [FrozenTypeName] = []
            for field in fields {
                let name = try field.checkingFrozen()
                names.append(name.canBeFrozen ? name.frozen : name)
            }
            return FrozenTypeName(kind: .tuple(names), isFrozen: true)
        case .vector(let element, let dimension):
            return FrozenTypeName(kind: .vector(try element.checkingFrozen(), dimension), isFrozen: true)
        case .frozen(let inner):
            let name = try inner.checkingFrozen()
            guard name.canBeFrozen else {
                throw .invalid(
                    message: "frozen<> is only allowed on collections, tuples, and user-defined types "
                        + "(got \(name.writtenText))")
            }
            return name.frozen
        }
    }
}
