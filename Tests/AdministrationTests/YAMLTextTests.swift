import Administration
import DataModel
import Testing

@Suite struct YAMLTextTests {
    private func yaml(_ json: String) throws -> String { try JSONValue(parsing: json).yamlText }

    @Test func membersStandUnderEachOther() throws {
        #expect(try yaml("{\"a\":1,\"b\":{\"c\":\"x\",\"d\":null}}") == "a: 1\nb:\n  c: \"x\"\n  d: null\n")
    }

    @Test func elementsHaveDashes() throws {
        #expect(try yaml("{\"a\":[1,\"b\"],\"c\":[]}") == "a:\n- 1\n- \"b\"\nc: []\n")
        #expect(try yaml("[{\"a\":1,\"b\":2},{\"a\":3}]") == "- a: 1\n  b: 2\n- a: 3\n")
    }

    @Test func namesThatMeanSomethingElseAreQuoted() throws {
        #expect(try yaml("{\"yes\":1,\"1\":2,\"a b\":3,\"\":4}") == "\"yes\": 1\n\"1\": 2\n\"a b\": 3\n\"\": 4\n")
    }

    @Test func aValueAloneIsALine() throws {
        #expect(try yaml("{}") == "{}\n")
        #expect(try yaml("true") == "true\n")
    }
}

@Suite struct BasicCredentialsTests {
    @Test(arguments: [("a", ""), ("anna", "p:a:s"), ("ü", "µ∂"), ("ab", "c"), ("abc", "de")])
    func comesBackFromItsHeader(user: String, password: String) throws {
        let header: String = BasicCredentials.header(AdminClient.Credentials(user: user, password: password))
        let parsed = try #require(BasicCredentials.parse(header))
        #expect(parsed.user == user && parsed.password == password)
    }

    @Test func isWrittenAsTheStandardDoes() {
        let credentials = AdminClient.Credentials(user: "Aladdin", password: "open sesame")
        #expect(BasicCredentials.header(credentials) == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    }

    @Test(arguments: ["", "Basic", "Bearer QTpi", "Basic QQ==", "Basic Q=TpiYg", "Basic \u{E9}", "Basic /w=="])
    func refusesEverythingElse(header: String) {
        #expect(BasicCredentials.parse(header) == nil)
    }
}
