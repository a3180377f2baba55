import DataModel
import Primitives
import Shell
import Testing

@Suite struct ValuePainterTests {
    private func shown(_ bytes: [UInt8]?, _ type: CQLType, isColored: Bool = false) -> StyledText {
        let painter = ValuePainter(isColored: isColored)
        guard let bytes else { return painter.null }
        return painter.text(of: bytes.span.bytes, type: type)
    }

    private func shown(literal: String, _ type: CQLType) throws -> String {
        shown(try type.valueBytes(ofText: literal), type).plain
    }

    @Test(arguments: [
        (CQLType.int, "-7", "-7"), (.boolean, "true", "True"), (.boolean, "false", "False"), (.text, "a b", "a b"),
        (.blob, "0x00ff", "0x00ff"), (.inet, "::1", "::1"), (.inet, "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        (.inet, "127.0.0.1", "127.0.0.1"), (.date, "2015-05-03", "2015-05-03"),
        (.time, "08:12:54.1", "08:12:54.100000000"), (.duration, "1y2mo3d", "1y2mo3d"), (.float, "0.1", "0.1"),
        (.double, "3.25", "3.25"), (.timestamp, "2015-06-10T12:00:00Z", "2015-06-10 12:00:00.000000+0000"),
        (.timestamp, "1969-12-31T23:59:59.999Z", "1969-12-31 23:59:59.999000+0000"),
        (.timestamp, "9223372036854775807", "9223372036854775807"),
        (.uuid, "62C36092-82A1-3A00-93D1-46196EE77204", "62c36092-82a1-3a00-93d1-46196ee77204"),
    ]) func scalarsReadAsInCqlsh(type: CQLType, literal: String, expected: String) throws {
        #expect(try shown(literal: literal, type) == expected)
    }

    @Test func emptyValuesOfNumbersAreNullAndEmptyTextIsEmpty() {
        #expect(shown([], .int).plain == "null")
        #expect(shown([], .text).plain == "")
        #expect(shown(nil, .text).plain == "null")
    }

    @Test func controlCharactersAreEscapedAndBackslashesDoubled() {
        let bytes: [UInt8] = Array("a\nb\\c\u{01}d\u{7F}é".utf8)
        #expect(shown(bytes, .text).plain == "a\\nb\\\\c\\x01d\\x7fé")
        let colored: StyledText = shown(Array("a\\b".utf8), .text, isColored: true)
        #expect(colored.styled == "\u{1B}[0;1;33ma\\b\u{1B}[0m")
        #expect(colored.width == 3)
    }

    @Test func collectionsQuoteWhatIsTextInside() throws {
        let list: CQLType = .list(.text, isMultiCell: false)
        #expect(shown(CollectionValue.list([Array("a'b".utf8), []]), list).plain == "['a''b', '']")
        let map: CQLType = .map(.text, .int, isMultiCell: false)
        let entry = (key: Array("k".utf8), value: [UInt8]([0, 0, 0, 1]))
        #expect(shown(CollectionValue.map([entry], keyType: .text), map).plain == "{'k': 1}")
        #expect(shown(CollectionValue.set([[0, 0, 0, 2]], of: .int), .set(.int, isMultiCell: false)).plain == "{2}")
        let stamp: [UInt8] = [UInt8](repeating: 0, count: 8)
        let stamps: CQLType = .list(.timestamp, isMultiCell: false)
        #expect(shown(CollectionValue.list([stamp]), stamps).plain == "['1970-01-01 00:00:00.000000+0000']")
    }

    @Test func tuplesAndUserTypesShowNullsAndNames() {
        let tuple: CQLType = .tuple([.int, .text, .int])
        #expect(shown(CollectionValue.tuple([[0, 0, 0, 1], nil]), tuple).plain == "(1, null, null)")
        let address = UserDefinedType(
            keyspace: "ks", name: "address", fieldNames: ["street", "number"], fieldTypes: [.text, .int])
        let value: [UInt8] = CollectionValue.tuple([Array("Elm".utf8), [0, 0, 0, 9]])
        #expect(shown(value, .userDefined(address, isMultiCell: false)).plain == "{street: 'Elm', number: 9}")
    }

    @Test func damagedCollectionsAreShownAsBytes() {
        #expect(shown([0, 0, 0, 9], .list(.int, isMultiCell: false)).plain == "0x00000009")
        #expect(shown([1, 2], .int).plain == "0x0102")
    }

    @Test func coloursFollowTheType() {
        #expect(shown([0, 0, 0, 1], .int, isColored: true).styled == "\u{1B}[0;1;32m1\u{1B}[0m")
        #expect(shown(nil, .int, isColored: true).styled == "\u{1B}[0;1;31mnull\u{1B}[0m")
    }
}
