import Primitives

/// What a value of the class `CompositeType` or `DynamicCompositeType` is made of.
///
/// The bytes of a value are its components one after the other; in a dynamic one each is preceded by its type:
///
///     [type (2: an alias, or the length of a class name, and the name)] · length (2) · bytes · end of component (1)
struct CompositeLayout {
    static let staticName = "CompositeType"
    static let dynamicName = "DynamicCompositeType"

    enum Kind {
        /// The types of the components, in order.
        case fixed([MarshalClassNameParser.Parsed])
        /// The types that a single character may stand for, in the order in which they were declared.
        case dynamic([(alias: UInt8, type: MarshalClassNameParser.Parsed)])
    }

    let kind: Kind

    init(_ kind: Kind) {
        self.kind = kind
    }

    /// The layout of a custom type; nil when its class is neither of the two.
    init?(className: String) {
        let package: String = MarshalClassName.package
        guard
            className.hasPrefix(package + CompositeLayout.staticName + "(")
                || className.hasPrefix(package + CompositeLayout.dynamicName + "(")
        else { return nil }
        var parser = MarshalClassNameParser(text: Array(className.utf8))
        guard let layout = try? parser.parseWholeComposite() else { return nil }
        self = layout
    }

    /// The class with its parameters, every name with its package.
    var className: String {
        switch kind {
        case .fixed(let types):
            let names: [String] = types.map { MarshalClassName.of($0.type, isReversed: $0.isReversed) }
            return "\(MarshalClassName.package)\(CompositeLayout.staticName)(\(names.joined(separator: ",")))"
        case .dynamic(let aliases):
            let names: [String] = aliases.map { alias, parsed in
                let letter = String(UnicodeScalar(alias))
                return letter + "=>" + MarshalClassName.of(parsed.type, isReversed: parsed.isReversed)
            }
            return "\(MarshalClassName.package)\(CompositeLayout.dynamicName)(\(names.joined(separator: ",")))"
        }
    }

    // MARK: Text

    /// Reads a value as CQL writes it: components with colons between them, `a:b\:c:1`, in a dynamic one each behind
    /// its type, `s@a:Int32Type@1`. Components at the end may be missing; `!` or `_` as the last one makes a bound
    /// after or before everything that starts with the others.
    func valueBytes(ofText text: String) throws(InvalidValue) -> [UInt8] {
        var writer = ByteWriter()
        var count = 0
        for part in CompositeLayout.parts(of: Array(text.utf8)) {
            if part == [UInt8(ascii: "!")] || part == [UInt8(ascii: "_")] {
                guard count > 0 else { throw InvalidValue("A composite value starts with a component") }
                let end: UInt8 = part == [UInt8(ascii: "!")] ? 1 : 0xFF
                writer.truncate(to: writer.count - 1)
                writer.write(end)
                break
            }
            let type: CQLType
            let rest: ArraySlice<UInt8>
            (type, rest) = try componentType(count, part, &writer)
            let bytes: [UInt8] = try type.valueBytes(ofText: CompositeLayout.unescaped(rest))
            guard bytes.count <= Int(UInt16.max) else {
                throw InvalidValue("A component of a composite value has \(bytes.count) bytes, more than 65535")
            }
            writer.write(UInt16(bytes.count))
            writer.write(bytes)
            writer.write(UInt8(0))
            count += 1
        }
        return writer.array()
    }

    /// The type of a component and the text of its value; writes the type where values carry it.
    private func componentType(
        _ index: Int, _ part: ArraySlice<UInt8>, _ writer: inout ByteWriter
    ) throws(InvalidValue) -> (CQLType, ArraySlice<UInt8>) {
        switch kind {
        case .fixed(let types):
            guard index < types.count else {
                throw InvalidValue("A composite value has more than \(types.count) components")
            }
            return (types[index].type, part)
        case .dynamic(let aliases):
            guard let at = part.firstIndex(of: UInt8(ascii: "@")) else {
                throw InvalidValue("Invalid component representation: \(String(decoding: part, as: UTF8.self))")
            }
            let name: ArraySlice<UInt8> = part[..<at]
            let rest: ArraySlice<UInt8> = part[(at + 1)...]
            if name.count == 1, let known = aliases.first(where: { $0.alias == name.first }) {
                writer.write(UInt16(0x8000) | UInt16(known.alias))
                return (known.type.type, rest)
            }
            let parsed = try MarshalClassName.parse(String(decoding: name, as: UTF8.self))
            guard name.count < 0x8000 else { throw InvalidValue("The type name is too long") }
            writer.write(UInt16(name.count))
            writer.write(Array(name))
            return (parsed.type, rest)
        }
    }

    /// Cuts text at every colon that has no backslash before it.
    private static func parts(of text: [UInt8]) -> [ArraySlice<UInt8>] {
        if text.isEmpty { return [] }
        var parts: [ArraySlice<UInt8>] = []
        var start = 0
        for (index, byte) in text.enumerated() where byte == UInt8(ascii: ":") {
            if index > 0, text[index - 1] == UInt8(ascii: "\\") { continue }
            parts.append(text[start..<index])
            start = index + 1
        }
        parts.append(text[start...])
        return parts
    }

    /// Takes the backslash from every `\:`, and the mark that protects a last backslash or exclamation mark.
    private static func unescaped(_ part: ArraySlice<UInt8>) -> String {
        var bytes: [UInt8] = []
        for byte in part {
            if byte == UInt8(ascii: ":"), bytes.last == UInt8(ascii: "\\") { bytes.removeLast() }
            bytes.append(byte)
        }
        if bytes.last == UInt8(ascii: "!") { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension MarshalClassNameParser {
    /// Reads a whole name of a composite class.
    mutating func parseWholeComposite() throws(InvalidValue) -> CompositeLayout {
        let name: String = readWord()
        let layout = try parseComposite(isDynamic: name.hasSuffix(CompositeLayout.dynamicName), depth: 0)
        guard isAtEnd else { throw malformed("Unexpected text after the type") }
        return layout
    }

    /// Reads the parameters of a composite class.
    mutating func parseComposite(isDynamic: Bool, depth: Int) throws(InvalidValue) -> CompositeLayout {
        var types: [Parsed] = []
        var aliases: [(alias: UInt8, type: Parsed)] = []
        guard isDynamic else {
            try expect("(")
            repeat { types.append(try parseType(depth: depth + 1, isFrozen: true)) } while accept(",")
            try expect(")")
            return CompositeLayout(.fixed(types))
        }
        guard accept("("), !accept(")") else { return CompositeLayout(.dynamic([])) }
        repeat {
            skipBlanks()
            let alias = Array(readWord().utf8)
            guard alias.count == 1 else { throw malformed("An alias is a single character") }
            try expect("=")
            try expect(">")
            aliases.append((alias[0], try parseType(depth: depth + 1, isFrozen: true)))
        } while accept(",")
        try expect(")")
        return CompositeLayout(.dynamic(aliases))
    }
}
