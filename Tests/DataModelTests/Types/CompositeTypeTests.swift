import DataModel
import Primitives
import Testing

/// The custom types `CompositeType` and `DynamicCompositeType`: their names, and values from text.
@Suite struct CompositeTypeTests {
    private static let package = MarshalClassName.package

    private func type(_ name: String) throws -> CQLType { try MarshalClassName.parse(name).type }

    @Test func everyNameGetsItsPackage() throws {
        let p: String = Self.package
        let names: [(String, String)] = [
            ("CompositeType(AsciiType, Int32Type)", "\(p)CompositeType(\(p)AsciiType,\(p)Int32Type)"),
            ("\(p)CompositeType(ReversedType(UTF8Type))", "\(p)CompositeType(\(p)ReversedType(\(p)UTF8Type))"),
            (
                "DynamicCompositeType(s => UTF8Type, i=>Int32Type)",
                "\(p)DynamicCompositeType(s=>\(p)UTF8Type,i=>\(p)Int32Type)"
            ),
            ("DynamicCompositeType", "\(p)DynamicCompositeType()"),
            ("DynamicCompositeType()", "\(p)DynamicCompositeType()"),
        ]
        for (written, whole) in names {
            #expect(try type(written) == .custom(className: whole), "\(written)")
            #expect(try type(whole) == .custom(className: whole), "\(whole)")
        }
        let nested = try type("ListType(CompositeType(Int32Type))")
        let inner = CQLType.custom(className: "\(p)CompositeType(\(p)Int32Type)")
        #expect(nested == .list(inner, isMultiCell: true))
    }

    @Test func malformedParametersAreRefused() {
        let names: [String] = [
            "CompositeType", "CompositeType()", "CompositeType(", "CompositeType(Int32Type",
            "CompositeType(a=>Int32Type)",
            "DynamicCompositeType(", "DynamicCompositeType(ab=>Int32Type)", "DynamicCompositeType(a=Int32Type)",
            "DynamicCompositeType(a=>)", "DynamicCompositeType(Int32Type)", "CompositeType(Int32Type) Int32Type",
            String(repeating: "CompositeType(", count: 100) + "Int32Type" + String(repeating: ")", count: 100),
        ]
        for name in names {
            #expect(throws: InvalidValue.self, "\(name.prefix(60))") { try MarshalClassName.parse(name) }
        }
    }

    @Test func textIsSplitAtColons() throws {
        let pair = try type("CompositeType(AsciiType, Int32Type)")
        let abc: [UInt8] = [0, 3, 97, 98, 99]
        let cases: [(String, [UInt8])] = [
            ("", []), ("abc", abc + [0]), ("abc:123", abc + [0, 0, 4, 0, 0, 0, 123, 0]),
            ("abc:!", abc + [1]), ("abc:_", abc + [0xFF]), ("abc:1:!", abc + [0, 0, 4, 0, 0, 0, 1, 1]),
            ("a\\:b", [0, 3, 97, 58, 98, 0]), ("a\\!", [0, 2, 97, 92, 0]), ("a!!", [0, 2, 97, 33, 0]),
            (":1", [0, 0, 0, 0, 4, 0, 0, 0, 1, 0]),
        ]
        for (text, bytes) in cases { #expect(try pair.valueBytes(ofText: text) == bytes, "\(text)") }
        for text in ["a:1:2", "a:x", "!", "_:1", "é"] {
            #expect(throws: InvalidValue.self, "\(text)") { try pair.valueBytes(ofText: text) }
        }
        let long = String(repeating: "a", count: 65_535)
        #expect(try pair.valueBytes(ofText: long).count == 2 + 65_535 + 1)
        #expect(throws: InvalidValue.self) { try pair.valueBytes(ofText: long + "a") }
    }

    @Test func componentsOfADynamicOneNameTheirTypes() throws {
        let dynamic = try type("DynamicCompositeType(s=>UTF8Type)")
        let cases: [(String, [UInt8])] = [
            ("s@x", [0x80, 115, 0, 1, 120, 0]),
            ("s@x@y", [0x80, 115, 0, 3, 120, 64, 121, 0]),
            ("s@x:Int32Type@7", [0x80, 115, 0, 1, 120, 0, 0, 9] + Array("Int32Type".utf8) + [0, 4, 0, 0, 0, 7, 0]),
        ]
        for (text, bytes) in cases { #expect(try dynamic.valueBytes(ofText: text) == bytes, "\(text)") }
        for text in ["x", "@1", "ListType(@1"] {
            #expect(throws: InvalidValue.self, "\(text)") { try dynamic.valueBytes(ofText: text) }
        }
    }

    @Test func otherClassesTakeHexadecimalDigits() throws {
        let odd = CQLType.custom(className: "com.example.Odd")
        #expect(try odd.valueBytes(ofText: "0xCAFE") == [0xCA, 0xFE])
        #expect(throws: InvalidValue.self) { try odd.valueBytes(ofText: "abc:1") }
    }
}
