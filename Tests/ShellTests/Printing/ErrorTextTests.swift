import CQL
import DataModel
import MartletClient
import Shell
import Testing

@Suite struct ErrorTextTests {
    @Test func errorsHaveTheShapeThatScriptsLookFor() {
        #expect(
            ErrorText.text(CQLError.invalid(message: "unconfigured table t"))
                == "InvalidRequest: Error from server: code=2200 [Invalid query] message=\"unconfigured table t\"")
        #expect(
            ErrorText.text(CQLError.syntaxError(message: "line 1:0"))
                == "SyntaxException: Error from server: code=2000 [Syntax error in CQL query] message=\"line 1:0\"")
        #expect(
            ErrorText.text(CQLError.serverError(message: "x"))
                == "ServerError: Error from server: code=0000 [Server error] message=\"x\"")
    }

    @Test func countsOfReplicasAreTold() {
        #expect(
            ErrorText.text(CQLError.unavailable(.quorum, required: 2, alive: 1))
                == "Unavailable: Error from server: code=1000 [Unavailable exception] "
                + "message=\"Cannot achieve consistency level QUORUM\" "
                + "info={'consistency': 'QUORUM', 'required_replicas': 2, 'alive_replicas': 1}")
        #expect(
            ErrorText.text(CQLError.writeTimeout(.simple, .one, received: 0, required: 1))
                == "WriteTimeout: Error from server: code=1100 [Coordinator node timed out waiting for replica nodes' "
                + "responses] message=\"Operation timed out - received only 0 responses.\" "
                + "info={'consistency': 'ONE', 'required_responses': 1, 'received_responses': 0, "
                + "'write_type': 'SIMPLE'}")
    }

    @Test func whatExistsIsNamed() {
        #expect(
            ErrorText.text(CQLError.alreadyExists(keyspace: "ks", table: "t"))
                == "AlreadyExists: Table 'ks.t' already exists")
        #expect(ErrorText.text(CQLError.alreadyExists(keyspace: "ks")) == "AlreadyExists: Keyspace 'ks' already exists")
    }

    @Test func errorsOfTheClientAreNamedToo() {
        #expect(ErrorText.text(ClientError.timedOut(.seconds(10))).hasPrefix("OperationTimedOut: "))
        #expect(ErrorText.text(ClientError.connectionClosed(nil)) == "NoHostAvailable: the connection was closed")
    }
}
