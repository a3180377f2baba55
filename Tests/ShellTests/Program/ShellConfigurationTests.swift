import Shell
import Testing

@Suite struct ShellConfigurationTests {
    @Test func settingsOfAFileAreTaken() throws {
        var options = ShellOptions()
        try options.apply(
            ShellConfiguration(
                """
                ; a comment
                [connection]
                hostname = db
                PORT: 9043
                request_timeout = 30

                [authentication]
                username=anna
                keyspace = ks
                [ui]
                color = off
                time_format = %d.%m.%Y %H:%M:%S.%f
                float_precision = 7
                [tracing]
                max_trace_wait = 3
                nonsense
                """))
        #expect(options.hostName == "db" && options.port == 9_043 && options.requestTimeout == .seconds(30))
        #expect(options.user == "anna" && options.keyspace == "ks" && options.isColored == false)
        #expect(options.timeFormat?.text(milliseconds: 1_234) == "01.01.1970 00:00:01.234000")
        #expect(options.floatPrecision == 7 && options.traceWaitLimit == .seconds(3))
        options.applyCredentials(ShellConfiguration("[plain_text_auth]\nusername = bob\npassword = a=b"))
        #expect(options.user == "bob" && options.password == "a=b")
    }

    @Test func theSectionForTLSIsTaken() throws {
        var options = ShellOptions()
        #expect(!options.usesTLS && options.security.validates && options.security.checksHost)
        try options.apply(
            ShellConfiguration(
                """
                [connection]
                ssl = true
                [ssl]
                certfile = ~/authority.pem
                usercert = me.pem
                userkey = me.key
                [certfiles]
                Node1.Example = one.pem
                """))
        #expect(options.usesTLS && options.security.validates && options.security.checksHost)
        #expect(options.security.certificateFile == "me.pem" && options.security.keyFile == "me.key")
        #expect(options.security.trustFile(for: "node2") == "~/authority.pem")
        #expect(options.security.trustFile(for: "NODE1.example") == "one.pem")
    }

    @Test(arguments: [
        ("validate = False", false, true), ("validate = no", true, true), ("check_hostname = false", true, false),
    ])
    func onlyThePlainWordSwitchesAChecksOff(line: String, validates: Bool, checksHost: Bool) throws {
        var options = ShellOptions()
        try options.apply(ShellConfiguration("[ssl]\n\(line)"))
        #expect(options.security.validates == validates && options.security.checksHost == checksHost)
    }

    @Test(arguments: ["port = 0", "port = 65536", "port = x", "timeout = 0"])
    func valuesThatCannotBeUsedAreRefused(line: String) {
        var options = ShellOptions()
        #expect(throws: ShellOptions.ConfigurationFault.self) {
            try options.apply(ShellConfiguration("[connection]\n\(line)"))
        }
    }

    @Test func nothingChangesNothing() throws {
        var options = ShellOptions()
        try options.apply(ShellConfiguration(""))
        #expect(options.hostName == "127.0.0.1" && options.port == 9_042 && options.isColored == nil)
    }
}
