import Shell
import Testing

@Suite struct CompletionTests {
    @Test func subjectsFollowFromTheWordsBefore() {
        #expect(Completion(text: "SELECT * FROM us").subject == .tables(keyspace: nil))
        #expect(Completion(text: "SELECT * FROM ks.us").subject == .tables(keyspace: "ks"))
        #expect(Completion(text: "SELECT * FROM ks.").prefix == "")
        #expect(Completion(text: "USE ").subject == .keyspaces)
        #expect(Completion(text: "DROP KEYSPACE k").subject == .keyspaces)
        #expect(Completion(text: "SELECT * FROM ks.t WHERE ").subject == .columns(keyspace: "ks", table: "t"))
        #expect(Completion(text: "INSERT INTO t (a, b").subject == .columns(keyspace: nil, table: "t"))
        #expect(Completion(text: "UPDATE t SET a").subject == .columns(keyspace: nil, table: "t"))
        #expect(Completion(text: "SELECT 1; USE k").subject == .keyspaces)
        #expect(Completion(text: "TRACING O").subject == .keywords(["ON", "OFF"]))
    }

    @Test func candidatesKeepTheCaseThatIsTyped() {
        #expect(Completion(text: "sel").matching(["SELECT", "SERIAL"]) == ["select"])
        #expect(Completion(text: "S").matching(["SELECT", "SHOW", "USE"]) == ["SELECT", "SHOW"])
        #expect(Completion(text: "USE sys").matching(["system", "ks", "system_auth"]) == ["system", "system_auth"])
    }

    @Test func commonStartsAreFound() {
        #expect(Completion.commonPrefix(["system", "system_auth"]) == "system")
        #expect(Completion.commonPrefix(["a", "b"]) == "")
        #expect(Completion.commonPrefix([]) == "")
    }
}
