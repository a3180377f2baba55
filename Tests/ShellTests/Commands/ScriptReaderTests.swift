import Shell
import Testing

@Suite struct ScriptReaderTests {
    private func entries(_ lines: [String]) -> [String] {
        var reader = ScriptReader()
        var found: [String] = lines.flatMap { reader.append(line: $0) }.map { "\($0.line):\($0.text)" }
        if let rest = reader.takeRemainder() { found.append("rest \(rest.line):\(rest.text)") }
        return found
    }

    @Test func statementsEndAtTheirSemicolons() {
        #expect(entries(["SELECT 1; SELECT", "2;"]) == ["1:SELECT 1", "1:SELECT\n2"])
    }

    @Test func commandsEndWithTheirLine() {
        #expect(entries(["TRACING ON", "SELECT 1;", "exit"]) == ["1:TRACING ON", "2:SELECT 1", "3:exit"])
    }

    @Test func commandsMayStandBehindStatementsAndBeforeThem() {
        #expect(entries(["USE ks; DESC TABLES"]) == ["1:USE ks", "1:DESC TABLES"])
        #expect(entries(["PAGING OFF; SELECT 1;"]) == ["1:PAGING OFF", "1:SELECT 1"])
    }

    @Test func wordsOfCommandsInsideOfStatementsAreNone() {
        #expect(entries(["SELECT a FROM", "help", ";"]) == ["1:SELECT a FROM\nhelp"])
        #expect(entries(["INSERT INTO t (a) VALUES ('x", "exit", "');"]).count == 1)
    }

    @Test func commentsAndBlankLinesAreNothing() {
        #expect(entries(["-- exit", "", "/* a", "b */", "SELECT 1;"]) == ["5:SELECT 1"])
    }

    @Test func batchesAreOneStatement() {
        #expect(entries(["BEGIN BATCH", "INSERT INTO t (a) VALUES (1);", "APPLY BATCH;"]).count == 1)
    }

    @Test func whatHasNoSemicolonIsARemainder() {
        #expect(entries(["SELECT 1;", "SELECT 2"]) == ["1:SELECT 1", "rest 2:SELECT 2"])
        #expect(entries([]) == [])
    }

    @Test func textIsCutTheSameWayWithCharactersOfSeveralBytes() {
        #expect(entries(["SELECT 'é日'; help"]) == ["1:SELECT 'é日'", "1:help"])
    }
}
