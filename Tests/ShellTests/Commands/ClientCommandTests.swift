import DataModel
import Shell
import Testing

@Suite struct ClientCommandTests {
    @Test(arguments: [
        ("CONSISTENCY", ClientCommand.consistency(nil)), ("consistency quorum", .consistency(.quorum)),
        ("CONSISTENCY nonsense", .improper(command: "CONSISTENCY")),
        ("SERIAL CONSISTENCY LOCAL_SERIAL", .serialConsistency(.localSerial)),
        ("serial consistency", .serialConsistency(nil)),
        ("SERIAL CONSISTENCY ONE", .improper(command: "SERIAL CONSISTENCY")),
        ("TRACING ON", .tracing(.on)), ("tracing off", .tracing(.off)), ("TRACING", .tracing(.show)),
        ("TRACING 5", .improper(command: "TRACING")), ("PAGING 50", .paging(.value(50))), ("PAGING OFF", .paging(.off)),
        ("PAGING 0", .improper(command: "PAGING")), ("EXPAND ON", .expand(.on)),
        ("DESC TABLES", .describe(statement: "DESC TABLES", subject: "tables")),
        ("SHOW VERSION", .showVersion), ("SHOW HOST", .showHost), ("show consistency", .showConsistency),
        ("SHOW CONSISTENCY ONE", .improper(command: "SHOW")), ("SHOW SESSION", .improper(command: "SHOW")),
        ("SHOW SESSION abc", .showSession("abc")),
        ("SHOW", .improper(command: "SHOW")), ("SOURCE 'a b.cql'", .source(path: "a b.cql")),
        ("CAPTURE 'it''s'", .capture(path: "it's")), ("CAPTURE OFF", .captureOff), ("CAPTURE", .captureStatus),
        ("?", .help(topics: [])), ("HELP show", .help(topics: ["show"])), ("CLS", .clear), ("QUIT", .exit),
        ("LOGIN anna 'p w'", .login(user: "anna", password: "p w")),
        ("LOGIN anna", .login(user: "anna", password: nil)), ("HISTORY 3", .history(limit: 3)),
        ("ELAPSED ON", .elapsed(.on)), ("UNICODE", .unicode),
        ("SHOW REPLICAS -5 ks", .showReplicas(token: -5, keyspace: "ks")),
        ("SHOW REPLICAS 7", .showReplicas(token: 7, keyspace: nil)), ("SHOW REPLICAS x", .improper(command: "SHOW")),
    ]) func commandsAreRead(text: String, command: ClientCommand) {
        #expect(ClientCommand.parse(text) == command)
    }

    @Test(arguments: ["SELECT * FROM t", "USE ks", "consistent", "BEGIN BATCH", ""])
    func statementsAreNot(text: String) {
        #expect(ClientCommand.parse(text) == nil)
    }
}
