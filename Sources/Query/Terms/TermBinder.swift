package import CQL
package import DataModel
import Primitives

/// Turns a term as written into an expression of a wanted type, and learns what its bind markers stand for.
package struct TermBinder {
    package var markers: MarkerSpecifications
    private let table: CompiledTable
    private let resolver: TypeResolver

    /// - Parameter definition: the table's keyspace, whose types the statement may name.
    package init(markers: MarkerSpecifications, table: CompiledTable, keyspace definition: KeyspaceDefinition) {
        self.markers = markers
        self.table = table
        self.resolver = TypeResolver(keyspace: definition)
    }

    package func specification(_ name: String, _ type: CQLType) -> ColumnSpecification {
        ColumnSpecification(keyspace: table.keyspace, table: table.name, name: name, type: type)
    }

    /// Binds a term that must be a value of `type`; `name` is what error texts and the marker's metadata call it.
    package mutating func bind(_ term: Term, to type: CQLType, named name: String) throws(CQLError) -> Expression {
        let expression: Expression = try bindParts(term, to: type, named: name)
        return try TermBinder.folded(expression)
    }

    private mutating func bindParts(_ term: Term, to type: CQLType, named name: String) throws(CQLError) -> Expression {
        switch term {
        case .literal(let literal):
            return .constant(try LiteralBinding.bytes(of: literal, as: type, named: name))
        case .bindMarker(let marker):
            markers.set(marker.index, specification(name, type))
            return .marker(marker.index, ValueValidator(type))
        case .list(let elements):
            return try bindSequence(elements, to: type, named: name)
        case .set(let elements):
            return try bindSet(elements, to: type, named: name)
        case .map(let entries):
            guard case .map(let key, let value, _) = type else {
                throw .invalid(message: "Invalid map literal for \(name) of type \(type.cqlName)")
            }
            var bound: [(key: Expression, value: Expression)] = []
            for entry in entries {
                let keyExpression = try bind(entry.key, to: key, named: "key(\(name))")
                bound.append((keyExpression, try bind(entry.value, to: value, named: "value(\(name))")))
            }
            return .map(bound, key: key, column: name)
        case .tuple(let fields):
            return try bindTuple(fields, to: type, named: name)
        case .userType(let fields):
            return try bindUserType(fields, to: type, named: name)
        case .call(let function, let arguments):
            return try bindCall(function, arguments, to: type, named: name)
        case .hint(let written, let inner):
            let hinted = try resolver.resolve(written)
            guard hinted.frozen == type.frozen else {
                throw .invalid(message: "Cannot assign value \(inner.cqlText) to \(name) of type \(type.cqlName)")
            }
            return try bind(inner, to: type, named: name)
        case .cast(let inner, let target):
            return try bindCast(inner, target, to: type, named: name)
        case .negation(let inner):
            let function = try Arithmetic.negation(try argument(inner), receiver: type)
            return .call(function, [try bind(inner, to: function.argumentTypes[0], named: "arg0(\(function.name))")])
        case .operation(let left, let operation, let right):
            return try bindArithmetic(operation, left, right, to: type, named: name)
        }
    }

    private mutating func bindSequence(
        _ elements: [Term], to type: CQLType, named name: String
    ) throws(CQLError) -> Expression {
        switch type {
        case .list(let element, _):
            return .list(try bindAll(elements, to: element, named: "value(\(name))"), column: name)
        case .vector(let element, let dimension):
            guard elements.count == dimension else {
                throw .invalid(
                    message:
                        "Invalid vector literal for \(name) of type \(type.cqlName): expected \(dimension) elements, "
                        + "but given \(elements.count)")
            }
            return .vector(try bindAll(elements, to: element, named: "value(\(name))"), element: element)
        default:
            throw .invalid(message: "Invalid list literal for \(name) of type \(type.cqlName)")
        }
    }

    private mutating func bindSet(_ elements: [Term], to type: CQLType, named name: String) throws(CQLError)
        -> Expression
    {
        switch type {
        case .set(let element, _):
            return .set(try bindAll(elements, to: element, named: "value(\(name))"), element: element, column: name)
        case .map(let key, _, _) where elements.isEmpty:
            return .map([], key: key, column: name)
        default:
            throw .invalid(message: "Invalid set literal for \(name) of type \(type.cqlName)")
        }
    }

    private mutating func bindTuple(
        _ fields: [Term], to type: CQLType, named name: String
    ) throws(CQLError) -> Expression {
        guard case .tuple(let types) = type else {
            if fields.count == 1 { return try bind(fields[0], to: type, named: name) }
            throw .invalid(message: "Invalid tuple type literal for \(name) of type \(type.cqlName)")
        }
        guard fields.count <= types.count else {
            throw .invalid(
                message: "Invalid tuple literal for \(name): too many elements. Type \(type.cqlName) expects "
                    + "\(types.count) but got \(fields.count)")
        }
        var bound: [Expression] = []
        for (index, field) in fields.enumerated() {
            bound.append(try bind(field, to: types[index], named: "\(name)[\(index)]"))
        }
        return .tuple(bound)
    }

    private mutating func bindUserType(
        _ fields: [FieldTerm], to type: CQLType, named name: String
    ) throws(CQLError) -> Expression {
        guard case .userDefined(let definition, _) = type else {
            throw .invalid(message: "Invalid user type literal for \(name) of type \(type.cqlName)")
        }
        for field in fields where !definition.fieldNames.contains(field.field) {
            throw .invalid(
                message: "Unknown field '\(field.field)' in value of user defined type \(definition.name)")
        }
        var bound: [Expression] = []
        for (index, fieldName) in definition.fieldNames.enumerated() {
            if let field = fields.first(where: { $0.field == fieldName }) {
                bound.append(
                    try bind(field.value, to: definition.fieldTypes[index], named: "\(name).\(fieldName)"))
            } else {
                bound.append(.constant(nil))
            }
        }
        return .tuple(bound)
    }

    private mutating func bindAll(_ terms: [Term], to type: CQLType, named name: String) throws(CQLError)
        -> [Expression]
    {
        var bound: [Expression] = []
        for term in terms { bound.append(try bind(term, to: type, named: name)) }
        return bound
    }

    private mutating func bindCall(
        _ name: QualifiedName, _ arguments: [Term], to type: CQLType, named receiver: String
    ) throws(CQLError) -> Expression {
        var known: [FunctionArgument] = []
        for argument in arguments { known.append(try self.argument(argument)) }
        if AggregateFunctions.isName(name) {
            throw .invalid(message: "Aggregation function are not supported in the where clause")
        }
        let function = try self.function(name, known, receiver: type)
        guard ScalarFunctions.isAssignable(function.returnType, to: type) else {
            throw .invalid(
                message: "Type error: cannot assign result of function \(function.name) (type "
                    + "\(function.returnType.cqlName)) to \(receiver) (type \(type.cqlName))")
        }
        return try call(function, arguments)
    }

    private mutating func call(_ function: ScalarFunction, _ arguments: [Term]) throws(CQLError) -> Expression {
        var bound: [Expression] = []
        for (index, argument) in arguments.enumerated() {
            bound.append(try bind(argument, to: function.argumentTypes[index], named: "arg\(index)(\(function.name))"))
        }
        return .call(function, bound)
    }

    /// The function that a call means; `token` is that of the statement's table.
    private func function(
        _ name: QualifiedName, _ arguments: [FunctionArgument], receiver: CQLType?
    ) throws(CQLError) -> ScalarFunction {
        guard name.name == "token", name.keyspace == nil || name.keyspace == "system" else {
            return try ScalarFunctions.resolve(name, arguments, receiver: receiver, in: .term)
        }
        guard arguments.count == table.partitionKey.count else {
            throw .invalid(
                message: "Invalid number of arguments in call to function system.token: "
                    + "\(table.partitionKey.count) required but \(arguments.count) provided")
        }
        return ScalarFunction.token(of: table)
    }

    private mutating func bindCast(
        _ inner: Term, _ target: NativeTypeName, to type: CQLType, named name: String
    ) throws(CQLError) -> Expression {
        guard let source = try argument(inner).likelyType else {
            throw .invalid(message: "Ambiguous call to function CAST: the type of its argument is not known")
        }
        let function = try Casts.function(from: source, to: CQLType(target), shown: inner.cqlText)
        guard ScalarFunctions.isAssignable(function.returnType, to: type) else {
            throw .invalid(
                message: "Type error: cannot assign result of function \(function.name) (type "
                    + "\(function.returnType.cqlName)) to \(name) (type \(type.cqlName))")
        }
        return .call(function, [try bind(inner, to: source, named: name)])
    }

    private mutating func bindArithmetic(
        _ operation: ArithmeticOperator, _ left: Term, _ right: Term, to type: CQLType, named name: String
    ) throws(CQLError) -> Expression {
        let function = try Arithmetic.function(operation, try argument(left), try argument(right), receiver: type)
        return try call(function, [left, right])
    }

    /// What is known of an argument before its function is.
    private func argument(_ term: Term) throws(CQLError) -> FunctionArgument {
        if let type = try type(of: term) { return FunctionArgument(text: term.cqlText, type: type) }
        return FunctionArgument(term)
    }

    /// The type that a term has by itself; nil when only its receiver can tell.
    package func type(of term: Term) throws(CQLError) -> CQLType? {
        switch term {
        case .hint(let written, _): return try resolver.resolve(written)
        case .cast(_, let target): return CQLType(target)
        case .call(let name, let arguments):
            var known: [FunctionArgument] = []
            for argument in arguments { known.append(try self.argument(argument)) }
            return try function(name, known, receiver: nil).returnType
        case .operation(let left, let operation, let right):
            let arguments: [FunctionArgument] = [try argument(left), try argument(right)]
            // Of two constants, and of markers, the receiver tells.
            if arguments.allSatisfy({ $0.type == nil }) || arguments.contains(where: \.isMarker) { return nil }
            return try Arithmetic.function(operation, arguments[0], arguments[1], receiver: nil).returnType
        case .negation(let inner): return try type(of: inner)
        case .tuple(let fields): return fields.count == 1 ? try type(of: fields[0]) : nil
        default: return nil
        }
    }

    /// Evaluates at once what depends on nothing that is bound later.
    private static func folded(_ expression: Expression) throws(CQLError) -> Expression {
        let parts: [Expression]
        switch expression {
        case .constant, .marker, .call, .documentField: return expression
        case .list(let elements, _), .set(let elements, _, _), .tuple(let elements), .vector(let elements, _):
            parts = elements
        case .map(let entries, _, _): parts = entries.flatMap { [$0.key, $0.value] }
        }
        guard parts.allSatisfy(\.isConstant) else { return expression }
        return .constant(try expression.evaluateConstant())
    }
}
