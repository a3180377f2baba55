import DataModel
import Primitives
import Testing

@Suite struct TypeNamesTests {
    private let address = UserDefinedType(
        keyspace: "ks", name: "address", fieldNames: ["street", "Zip"],
        fieldTypes: [.text, .list(.int, isMultiCell: false)])

    @Test func namesAreThoseOfTheSchemaTables() {
        let cases: [(CQLType, String)] = [
            (.text, "text"), (.timeuuid, "timeuuid"), (.list(.int, isMultiCell: true), "list<int>"),
            (.list(.int, isMultiCell: false), "frozen<list<int>>"),
            (.map(.text, .int, isMultiCell: true), "map<text, int>"),
            (.map(.text, .set(.uuid, isMultiCell: false), isMultiCell: true), "map<text, frozen<set<uuid>>>"),
            (.tuple([.int, .text]), "frozen<tuple<int, text>>"), (.vector(.float, dimension: 3), "vector<float, 3>"),
            (.userDefined(address, isMultiCell: true), "address"),
            (.userDefined(address, isMultiCell: false), "frozen<address>"),
            (.custom(className: "a.B"), "'a.B'"),
            (
                .userDefined(
                    UserDefinedType(keyspace: "k", name: "My Type", fieldNames: [], fieldTypes: []), isMultiCell: true),
                "\"My Type\""
            ),
        ]
        for (type, name) in cases { #expect(type.cqlName == name) }
    }

    @Test func identifiersAreQuotedOnlyWhenTheyMustBe() {
        let cases: [(String, String)] = [
            ("plain_1", "plain_1"), ("Upper", "\"Upper\""), ("1st", "\"1st\""), ("select", "\"select\""),
            ("a\"b", "\"a\"\"b\""),
            ("", "\"\""), ("_a", "\"_a\""), ("ü", "\"ü\""), ("key", "key"),
        ]
        for (name, wanted) in cases { #expect(CQLIdentifier.quotedIfNeeded(name) == wanted) }
    }

    @Test func marshalClassesAreThoseOfCassandra() {
        let p = "org.apache.cassandra.db.marshal."
        let cases: [(CQLType, String)] = [
            (.int, "\(p)Int32Type"), (.text, "\(p)UTF8Type"), (.date, "\(p)SimpleDateType"),
            (.list(.int, isMultiCell: true), "\(p)ListType(\(p)Int32Type)"),
            (.list(.int, isMultiCell: false), "\(p)FrozenType(\(p)ListType(\(p)Int32Type))"),
            (
                .map(.text, .list(.int, isMultiCell: false), isMultiCell: true),
                "\(p)MapType(\(p)UTF8Type,\(p)FrozenType(\(p)ListType(\(p)Int32Type)))"
            ),
            (
                .tuple([.int, .list(.text, isMultiCell: false)]),
                "\(p)TupleType(\(p)Int32Type,\(p)ListType(\(p)UTF8Type))"
            ),
            (.vector(.float, dimension: 5), "\(p)VectorType(\(p)FloatType , 5)"),
            (
                .userDefined(address, isMultiCell: false),
                "\(p)FrozenType(\(p)UserType(ks,61646472657373,737472656574:\(p)UTF8Type,5a6970:\(p)ListType(\(p)Int32Type)))"
            ),
        ]
        for (type, name) in cases { #expect(type.marshalClassName == name) }
        #expect(MarshalClassName.of(.int, isReversed: true) == "\(p)ReversedType(\(p)Int32Type)")
    }

    @Test func classNamesAreReadBack() throws {
        for seed in UInt64(1)..<200 {
            var values = RandomValues(seed: seed)
            let type: CQLType = values.type(depth: 4)
            let back = try MarshalClassName.parse(type.marshalClassName)
            #expect(back.type == type, "seed \(seed), \(type.cqlName)")
            let reversed = try MarshalClassName.parse(MarshalClassName.of(type, isReversed: true))
            #expect(reversed.isReversed)
            #expect(reversed.type == type)
        }
        for type in CQLType.scalars {
            let parsed = try MarshalClassName.parse(type.marshalClassName).type
            #expect(parsed == type)
            #expect(CQLType.scalar(named: type.cqlName) == type)
        }
        let live: CQLType = .userDefined(address, isMultiCell: true)
        let liveBack = try MarshalClassName.parse(live.marshalClassName).type
        #expect(liveBack == live)
        let short = try MarshalClassName.parse("MapType( UTF8Type , LongType )").type
        #expect(short == .map(.text, .bigint, isMultiCell: true))
        let custom = try MarshalClassName.parse("com.example.Odd(a,b(c))").type
        #expect(custom == .custom(className: "com.example.Odd(a,b(c))"))
        #expect(CQLType.scalar(named: "varchar") == .text)
    }

    @Test func malformedClassNamesAreRefused() {
        let p = "org.apache.cassandra.db.marshal."
        let deep =
            String(repeating: "\(p)FrozenType(", count: 100) + "\(p)Int32Type" + String(repeating: ")", count: 100)
        let texts: [String] = [
            "", "(", "\(p)ListType", "\(p)ListType(", "\(p)ListType(\(p)Int32Type", "\(p)ListType(\(p)Int32Type))",
            "\(p)MapType(\(p)Int32Type)", "\(p)VectorType(\(p)FloatType , 0)", "\(p)VectorType(\(p)FloatType , x)",
            "\(p)UserType(ks,zz)", "\(p)UserType(ks,61,62)", "\(p)TupleType()", "Odd(", deep, "Int32Type Int32Type",
            String(repeating: "a", count: MarshalClassName.maximumByteCount + 1),
        ]
        for text in texts {
            let message: String? = refusal { _ = try MarshalClassName.parse(text) }
            #expect(message != nil, "\(text.prefix(80))")
        }
    }

    @Test func onlySomeTypesLieEndToEndInVectors() {
        #expect(CQLType.float.vectorElementByteCount == 4)
        #expect(CQLType.uuid.vectorElementByteCount == 16)
        #expect(CQLType.smallint.vectorElementByteCount == nil)
        #expect(CQLType.date.vectorElementByteCount == nil)
        #expect(CQLType.vector(.float, dimension: 3).vectorElementByteCount == 12)
        #expect(CQLType.vector(.smallint, dimension: 3).fixedByteCount == nil)
        let huge: CQLType = .vector(
            .vector(.vector(.uuid, dimension: Int(Int32.max)), dimension: Int(Int32.max)), dimension: Int(Int32.max))
        #expect(huge.fixedByteCount == nil)
    }
}
