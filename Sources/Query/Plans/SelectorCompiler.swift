package import CQL
package import DataModel
import Primitives

/// An expression of a selection with its type, and the name of the result's column when no alias gives one.
package struct CompiledItem: Sendable {
    package let selector: CompiledSelector
    package let type: CQLType
    package let name: String
}

/// Compiles the expressions of a selection: finds their columns, functions and types.
package struct SelectorCompiler {
    package let table: CompiledTable
    package var binder: TermBinder
    private(set) package var aggregates: [AggregateUse] = []
    private let resolver: TypeResolver
    private var isInsideAggregate = false

    package init(_ table: CompiledTable, _ binder: TermBinder, keyspace: KeyspaceDefinition) {
        self.table = table
        self.binder = binder
        self.resolver = TypeResolver(keyspace: keyspace)
    }

    /// - Parameter expected: the type that the place wants of what has none of its own; nil when it wants none.
    package mutating func compile(_ selector: Selector, expected: CQLType? = nil) throws(CQLError) -> CompiledItem {
        switch selector {
        case .column(let name):
            let column = try table.required(name)
            return CompiledItem(selector: .column(column), type: column.type, name: name)
        case .countRows: return try aggregate(AggregateFunctions.countRows, nil, named: "count")
        case .call(let name, let arguments): return try call(name, arguments)
        case .cellAttribute(let attribute, let inner): return try cellAttribute(attribute, inner)
        case .cast(let inner, let target): return try cast(inner, CQLType(target))
        case .hint(let written, let inner): return try hinted(selector, inner, try resolver.resolve(written))
        case .field(let inner, let name): return try field(inner, name)
        case .element(let inner, let key): return try element(selector, inner, key)
        case .slice(let inner, let from, let to): return try slice(selector, inner, from, to)
        case .operation(let left, let operation, let right): return try operate(left, operation, right)
        case .negation(let inner): return try negate(inner)
        case .literal, .bindMarker, .list, .set, .map, .tuple: return try untyped(selector, expected)
        }
    }

    // MARK: Terms

    /// What has no type of its own: the place gives it one, or the columns and calls inside do.
    private mutating func untyped(_ selector: Selector, _ expected: CQLType?) throws(CQLError) -> CompiledItem {
        if case .tuple(let elements) = selector, elements.count == 1, expected?.kind != .tuple {
            let inner = try compile(elements[0], expected: expected)
            return CompiledItem(selector: inner.selector, type: inner.type, name: "(\(inner.name))")
        }
        guard let expected else { return try inferred(selector) }
        if let term = selector.asTerm {
            let bound = try binder.bind(term, to: expected, named: "[selection]")
            return CompiledItem(selector: .term(bound), type: expected, name: selector.cqlText)
        }
        var parts: [CompiledSelector] = []
        for (part, type) in try self.parts(of: selector, as: expected) {
            let compiled = try compile(part, expected: type)
            guard ScalarFunctions.isAssignable(compiled.type, to: type) else {
                throw wrongValue(selector, expected)
            }
            parts.append(compiled.selector)
        }
        return construction(selector, expected, parts)
    }

    private func construction(
        _ selector: Selector, _ type: CQLType, _ parts: [CompiledSelector]
    ) -> CompiledItem {
        let function = ScalarFunction.construction(of: type, partCount: parts.count)
        return CompiledItem(selector: .call(function, parts), type: type.frozen, name: selector.cqlText)
    }

    private func unknownType(_ selector: Selector) -> CQLError {
        .invalid(
            message: "Cannot infer type for term \(selector.cqlText) in selection clause (try using a cast to force a "
                + "type)")
    }

    private func wrongValue(_ selector: Selector, _ type: CQLType) -> CQLError {
        .invalid(message: "Cannot assign value \(selector.cqlText) to \(selector.cqlText) of type \(type.cqlName)")
    }

    /// A literal whose type the columns and calls in it tell; every part is compiled once, so that nesting costs no more.
    private mutating func inferred(_ selector: Selector) throws(CQLError) -> CompiledItem {
        switch selector {
        case .list(let elements):
            let (parts, type) = try alike(elements, of: selector)
            return construction(selector, .list(type, isMultiCell: false), parts)
        case .set(let elements):
            let (parts, type) = try alike(elements, of: selector)
            return construction(selector, .set(type, isMultiCell: false), parts)
        case .map(let entries):
            let (keys, key) = try alike(entries.map(\.key), of: selector)
            let (values, value) = try alike(entries.map(\.value), of: selector)
            return construction(
                selector, .map(key, value, isMultiCell: false), zip(keys, values).flatMap { [$0, $1] })
        case .tuple(let elements):
            var parts: [CompiledSelector] = []
            var types: [CQLType] = []
            for element in elements {
                guard element.asTerm == nil else { throw unknownType(selector) }
                let compiled = try compile(element)
                parts.append(compiled.selector)
                types.append(compiled.type.frozen)
            }
            return construction(selector, .tuple(types), parts)
        default: throw unknownType(selector)
        }
    }

    /// Elements of one type: that of the first which has one.
    private mutating func alike(
        _ elements: [Selector], of selector: Selector
    ) throws(CQLError) -> ([CompiledSelector], CQLType) {
        var compiled: [CompiledItem?] = []
        for element in elements { compiled.append(element.asTerm == nil ? try compile(element) : nil) }
        guard let type = compiled.lazy.compactMap({ $0?.type.frozen }).first else { throw unknownType(selector) }
        var parts: [CompiledSelector] = []
        for (element, item) in zip(elements, compiled) {
            if let item {
                guard ScalarFunctions.isAssignable(item.type, to: type) else { throw wrongValue(selector, type) }
                parts.append(item.selector)
            } else {
                parts.append(try compile(element, expected: type).selector)
            }
        }
        return (parts, type)
    }

    /// The parts of a literal with the types that they must have.
    private func parts(of selector: Selector, as type: CQLType) throws(CQLError) -> [(Selector, CQLType)] {
        switch (selector, type) {
        case (.list(let elements), .list(let element, _)), (.set(let elements), .set(let element, _)):
            return elements.map { ($0, element) }
        case (.list(let elements), .vector(let element, let dimension)):
            guard elements.count == dimension else {
                throw .invalid(
                    message:
                        "Unable to create a vector selector of type \(type.cqlName) from \(elements.count) elements"
                )
            }
            return elements.map { ($0, element) }
        case (.map(let entries), .map(let key, let value, _)):
            return entries.flatMap { [($0.key, key), ($0.value, value)] }
        case (.tuple(let elements), .tuple(let types)) where elements.count <= types.count:
            return Array(zip(elements, types))
        case (.map(let entries), .userDefined(let definition, _)):
            return try fields(entries, of: definition)
        default: throw wrongValue(selector, type)
        }
    }

    private func fields(
        _ entries: [SelectorEntry], of definition: UserDefinedType
    ) throws(CQLError) -> [(Selector, CQLType)] {
        var given: [String: Selector] = [:]
        for entry in entries {
            guard case .column(let name) = entry.key else {
                throw .invalid(
                    message: "\(entry.key.cqlText) is not a valid field identifier of type \(definition.name) ")
            }
            guard definition.fieldNames.contains(name) else {
                throw .invalid(
                    message: "Unknown field '\(name)' in value of user defined type \(definition.name)")
            }
            given[name] = entry.value
        }
        return zip(definition.fieldNames, definition.fieldTypes).map { (given[$0] ?? .literal(.null), $1) }
    }

    private mutating func hinted(
        _ selector: Selector, _ inner: Selector, _ type: CQLType
    ) throws(CQLError) -> CompiledItem {
        let compiled: CompiledItem
        if let term = inner.asTerm {
            guard FunctionArgument(term).fit(to: type) != .none else { throw wrongValue(selector, type) }
            compiled = try compile(inner, expected: type)
        } else {
            compiled = try compile(inner, expected: type)
            guard ScalarFunctions.isAssignable(compiled.type, to: type) else { throw wrongValue(selector, type) }
        }
        return CompiledItem(selector: compiled.selector, type: type, name: selector.cqlText)
    }

    // MARK: Calls

    /// An argument before its function is known: compiled, unless it is a term that takes its type from the function.
    private struct Operand {
        let argument: FunctionArgument
        let item: CompiledItem?
    }

    private mutating func operands(_ selectors: [Selector]) throws(CQLError) -> [Operand] {
        var operands: [Operand] = []
        for selector in selectors {
            if let term = selector.asTerm {
                operands.append(Operand(argument: FunctionArgument(term), item: nil))
            } else {
                let item = try compile(selector)
                operands.append(
                    Operand(argument: FunctionArgument(text: selector.cqlText, type: item.type), item: item))
            }
        }
        return operands
    }

    /// A call of the function that was found for its arguments.
    private mutating func applied(
        _ function: ScalarFunction, _ operands: [Operand]
    ) throws(CQLError) -> (selector: CompiledSelector, names: [String]) {
        var compiled: [CompiledSelector] = []
        var names: [String] = []
        for (index, operand) in operands.enumerated() {
            if let item = operand.item {
                compiled.append(item.selector)
                names.append(item.name)
            } else if let term = operand.argument.term {
                let name = "arg\(index)(\(function.name))"
                compiled.append(.term(try binder.bind(term, to: function.argumentTypes[index], named: name)))
                names.append(operand.argument.text)
            }
        }
        return (.call(function, compiled), names)
    }

    private mutating func call(_ name: QualifiedName, _ arguments: [Selector]) throws(CQLError) -> CompiledItem {
        if AggregateFunctions.isName(name) { return try aggregateCall(name, arguments) }
        let operands = try self.operands(arguments)
        let function: ScalarFunction
        if name.name == "token", name.keyspace == nil || name.keyspace == "system" {
            function = ScalarFunction.token(of: table)
            guard arguments.count == function.argumentTypes.count else {
                throw .invalid(
                    message: "Invalid number of arguments in call to function system.token: "
                        + "\(function.argumentTypes.count) required but \(arguments.count) provided")
            }
        } else {
            function = try ScalarFunctions.resolve(name, operands.map(\.argument), receiver: nil, in: .selection)
        }
        let (call, names) = try applied(function, operands)
        return CompiledItem(
            selector: call, type: function.returnType, name: "\(function.name)(\(names.joined(separator: ", ")))")
    }

    private mutating func aggregateCall(
        _ name: QualifiedName, _ arguments: [Selector]
    ) throws(CQLError) -> CompiledItem {
        if name.name == "count", arguments.count == 1, case .literal = arguments[0] {
            return try aggregate(AggregateFunctions.countRows, nil, named: "count")
        }
        guard arguments.count == 1 else {
            throw .invalid(
                message: "Invalid number of arguments in call to function system.\(name.name): 1 required but "
                    + "\(arguments.count) provided")
        }
        if isInsideAggregate { throw nestedAggregate }
        isInsideAggregate = true
        let likely: CQLType? = arguments[0].asTerm.flatMap { FunctionArgument($0).likelyType }
        let argument = try compile(arguments[0], expected: likely)
        isInsideAggregate = false
        let function = try AggregateFunctions.resolve(name, argument: argument.type)
        return try aggregate(function, argument.selector, named: "\(function.name)(\(argument.name))")
    }

    private var nestedAggregate: CQLError {
        .invalid(message: "aggregate functions cannot be used as arguments of aggregate functions")
    }

    private mutating func aggregate(
        _ function: AggregateFunction, _ argument: CompiledSelector?, named name: String
    ) throws(CQLError) -> CompiledItem {
        if isInsideAggregate { throw nestedAggregate }
        aggregates.append(AggregateUse(function: function, argument: argument))
        return CompiledItem(selector: .aggregate(aggregates.count - 1), type: function.returnType, name: name)
    }

    private mutating func cast(_ inner: Selector, _ target: CQLType) throws(CQLError) -> CompiledItem {
        let compiled = try compile(inner)
        if compiled.type == target { return compiled }
        let function = try Casts.function(from: compiled.type, to: target, shown: compiled.name)
        return CompiledItem(
            selector: .call(function, [compiled.selector]), type: target,
            name: "cast(\(compiled.name) as \(target.cqlName))")
    }

    private mutating func operate(
        _ left: Selector, _ operation: ArithmeticOperator, _ right: Selector
    ) throws(CQLError) -> CompiledItem {
        let operands = try self.operands([left, right])
        let function = try Arithmetic.function(
            operation, operands[0].argument, operands[1].argument, receiver: nil)
        let (call, names) = try applied(function, operands)
        let first: String = left.isWeaker(than: operation, isRight: false) ? "(\(names[0]))" : names[0]
        let second: String = right.isWeaker(than: operation, isRight: true) ? "(\(names[1]))" : names[1]
        return CompiledItem(
            selector: call, type: function.returnType, name: "\(first) \(operation.rawValue) \(second)")
    }

    private mutating func negate(_ inner: Selector) throws(CQLError) -> CompiledItem {
        let operands = try self.operands([inner])
        let function = try Arithmetic.negation(operands[0].argument, receiver: nil)
        let (call, names) = try applied(function, operands)
        return CompiledItem(selector: call, type: function.returnType, name: "-\(names[0])")
    }
}

extension SelectorCompiler {
    // MARK: Parts of values

    private mutating func field(_ inner: Selector, _ name: String) throws(CQLError) -> CompiledItem {
        let compiled = try compile(inner)
        guard case .userDefined(let definition, _) = compiled.type else {
            throw .invalid(
                message:
                    "Invalid field selection: \(inner.cqlText) of type \(compiled.type.cqlName) is not a user type")
        }
        guard let index = definition.fieldNames.firstIndex(of: name) else {
            throw .invalid(message: "\(inner.cqlText) of type \(compiled.type.cqlName) has no field \(name)")
        }
        let function = ScalarFunction.field(index, of: compiled.type, named: name)
        return CompiledItem(
            selector: .call(function, [compiled.selector]), type: definition.fieldTypes[index],
            name: "\(compiled.name).\(CQLIdentifier.quotedIfNeeded(name))")
    }

    private func requireKeyed(_ inner: Selector, _ type: CQLType, _ kind: String) throws(CQLError) {
        switch type {
        case .set, .map: return
        case .list:
            throw .invalid(
                message: "\(kind) selection is only allowed on sets and maps, but \(inner.cqlText) is a list")
        default:
            let isOf: String = kind == "Element" ? "is of" : "of"
            throw .invalid(
                message:
                    "Invalid \(kind.lowercased()) selection: \(inner.cqlText) \(isOf) type \(type.cqlName) is not a "
                    + "collection")
        }
    }

    private mutating func element(
        _ selector: Selector, _ inner: Selector, _ key: Term
    ) throws(CQLError) -> CompiledItem {
        let compiled = try compile(inner)
        try requireKeyed(inner, compiled.type, "Element")
        let function = try ScalarFunction.element(of: compiled.type, named: inner.cqlText)
        let bound = try binder.bind(key, to: function.argumentTypes[1], named: keyName(inner, compiled.type))
        return CompiledItem(
            selector: .call(function, [compiled.selector, .term(bound)]), type: function.returnType,
            name: selector.cqlText)
    }

    private mutating func slice(
        _ selector: Selector, _ inner: Selector, _ from: Term?, _ to: Term?
    ) throws(CQLError) -> CompiledItem {
        let compiled = try compile(inner)
        try requireKeyed(inner, compiled.type, "Slice")
        let name: String = keyName(inner, compiled.type)
        let function = try ScalarFunction.slice(
            of: compiled.type, named: inner.cqlText, hasLower: from != nil, hasUpper: to != nil)
        var bounds: [CompiledSelector] = []
        for term in [from, to] {
            guard let term else {
                bounds.append(.term(.constant(nil)))
                continue
            }
            bounds.append(.term(try binder.bind(term, to: function.argumentTypes[1], named: name)))
        }
        return CompiledItem(
            selector: .call(function, [compiled.selector] + bounds), type: function.returnType, name: selector.cqlText)
    }

    private func keyName(_ inner: Selector, _ type: CQLType) -> String {
        type.kind == .map ? "key(\(inner.cqlText))" : "value(\(inner.cqlText))"
    }

    // MARK: Cells

    private mutating func cellAttribute(
        _ attribute: CellAttribute, _ inner: Selector
    ) throws(CQLError) -> CompiledItem {
        var steps: [CellTimes.Step] = []
        let (column, part) = try cell(inner, attribute, &steps)
        let plain: CQLType = attribute == .timeToLive ? .int : .bigint
        let isList: Bool = part.type.isMultiCell && attribute != .maxWriteTime
        let times = CellTimes(attribute: attribute, column: column, steps: steps)
        return CompiledItem(
            selector: .cellTimes(times), type: isList ? .list(plain, isMultiCell: false) : plain,
            name: "\(attribute.rawValue)(\(part.name))")
    }

    /// The column whose cells are asked about, and the way to the part of its value.
    private mutating func cell(
        _ selector: Selector, _ attribute: CellAttribute, _ steps: inout [CellTimes.Step]
    ) throws(CQLError) -> (CompiledColumn, CompiledItem) {
        switch selector {
        case .column(let name):
            let column = try table.required(name)
            if column.isPrimaryKey {
                throw .invalid(
                    message: "Cannot use selection function \(attribute.rawValue) on PRIMARY KEY part \(name)")
            }
            return (column, CompiledItem(selector: .column(column), type: column.type, name: name))
        case .field(let inner, _), .element(let inner, _), .slice(let inner, _, _):
            let (column, whole) = try cell(inner, attribute, &steps)
            let part = try compile(selector)
            guard case .call(_, let arguments) = part.selector else {
                throw .invalid(message: "\(attribute.rawValue) of \(selector.cqlText) cannot be selected")
            }
            switch selector {
            case .field(_, let name):
                guard case .userDefined(let definition, _) = whole.type else { break }
                steps.append(.field(definition.fieldNames.firstIndex(of: name) ?? 0))
            case .element: steps.append(.element(whole.selector, whole.type, key: arguments[1]))
            default: steps.append(.slice(whole.selector, whole.type, from: arguments[1], to: arguments[2]))
            }
            // A slice of a multi-cell column still has a cell for each element.
            var type: CQLType = part.type.frozen
            if case .slice = selector { type = whole.type }
            return (column, CompiledItem(selector: part.selector, type: type, name: part.name))
        default:
            throw .invalid(message: "\(attribute.rawValue) of \(selector.cqlText) cannot be selected")
        }
    }
}

extension Selector {
    /// Whether this needs parentheses as an operand.
    fileprivate func isWeaker(than operation: ArithmeticOperator, isRight: Bool) -> Bool {
        guard case .operation(_, let own, _) = self else { return false }
        let isSum: Bool = own == .add || own == .subtract
        let isInSum: Bool = operation == .add || operation == .subtract
        return isSum ? isRight || !isInSum : isRight && !isInSum
    }

    /// The same as a term, for what says nothing of a row.
    package var asTerm: Term? {
        switch self {
        case .literal(let literal): return .literal(literal)
        case .bindMarker(let marker): return .bindMarker(marker)
        case .list(let elements): return Selector.terms(elements).map(Term.list)
        case .set(let elements): return Selector.terms(elements).map(Term.set)
        case .tuple(let elements): return Selector.terms(elements).map(Term.tuple)
        case .map(let entries):
            guard let values = Selector.terms(entries.map(\.value)) else { return nil }
            if let keys = Selector.terms(entries.map(\.key)) {
                return .map(zip(keys, values).map { TermEntry(key: $0, value: $1) })
            }
            var fields: [FieldTerm] = []
            for (entry, value) in zip(entries, values) {
                guard case .column(let name) = entry.key else { return nil }
                fields.append(FieldTerm(field: name, value: value))
            }
            return .userType(fields)
        default: return nil
        }
    }

    private static func terms(_ selectors: [Selector]) -> [Term]? {
        let terms: [Term] = selectors.compactMap(\.asTerm)
        return terms.count == selectors.count ? terms : nil
    }
}
