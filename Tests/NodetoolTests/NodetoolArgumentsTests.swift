import Administration
import Nodetool
import Testing

@Suite struct NodetoolArgumentsTests {
    private func fault(_ arguments: String...) -> String? {
        do throws(NodetoolArguments.Fault) {
            _ = try NodetoolArguments(arguments)
            return nil
        } catch { return error.words }
    }

    private func command(_ name: String) throws -> NodetoolCommand { try #require(NodetoolCommand.named(name)) }

    @Test func takesTheOptionsOfTheCommandWithTheirValues() throws {
        let snapshot = try NodetoolArguments(["snapshot", "-t", "one", "--ttl=2h", "-sf", "k"])
        #expect(snapshot.values == [HTTPRequest.Parameter("-t", "one"), HTTPRequest.Parameter("--ttl", "2h")])
        #expect(snapshot.flags == ["-sf"] && snapshot.operands == ["k"])
        let compact = try NodetoolArguments(["compact", "-st", "-5", "--end-token", "7", "k", "t"])
        #expect(compact.values == [HTTPRequest.Parameter("-st", "-5"), HTTPRequest.Parameter("-et", "7")])
        #expect(fault("snapshot", "-t") == "The option -t needs a value.")
    }

    @Test func takesNegativeNumbersAsOperandsWhereThereAreOperands() throws {
        #expect(try NodetoolArguments(["setcompactionthroughput", "-1"]).operands == ["-1"])
        #expect(fault("version", "-1") == "There is no option -1 of version.")
    }

    @Test func takesEveryWordOfCassandras() throws {
        for word in ["cfstats", "cfhistograms", "profileload"] {
            #expect(try NodetoolArguments([word]).request != .help(nil))
        }
        #expect(try NodetoolArguments(["sjk", "--whatever", "-x", "5"]).request == .run(try command("sjk")))
        let names: [String] = (NodetoolCommand.all + NodetoolCommand.absent).flatMap { [$0.name] + $0.aliases }
        #expect(Set(names).count == names.count)
    }

    @Test func checksTheNodeUnlessThatIsSwitchedOffInPlainWords() throws {
        let checked = try NodetoolArguments(["--ssl", "--cafile", "a.pem", "status"])
        #expect(checked.usesTLS && checked.trustFile == "a.pem" && !checked.trustsAnybody)
        #expect(try NodetoolArguments(["status", "--ssl", "--insecure-no-verify"]).trustsAnybody)
        #expect(try !NodetoolArguments(["status"]).usesTLS)
        #expect(fault("--cafile", "a.pem", "status")?.hasSuffix("give --ssl too.") == true)
        #expect(fault("--insecure-no-verify", "status")?.hasSuffix("give --ssl too.") == true)
        #expect(fault("--ssl", "--cafile=a.pem", "--insecure-no-verify", "status")?.hasSuffix("has no use.") == true)
        #expect(fault("--ssl=yes", "status") == "There is no option --ssl.")
        // Commands that say why they are not there take the same options.
        #expect(try NodetoolArguments(["getauditlog", "--ssl"]).usesTLS)
    }

    @Test func takesOptionsInFrontOfTheCommandAndBehindIt() throws {
        let front = try NodetoolArguments(["-h", "127.0.0.2", "-p", "7200", "-F", "json", "-pp", "status", "k"])
        let behind = try NodetoolArguments([
            "status", "--host=127.0.0.2", "k", "--port", "7200", "--format=json", "-pp",
        ])
        #expect(front == behind)
        #expect(front.host == "127.0.0.2")
        #expect(front.port == 7_200)
        #expect(front.format == .json)
        #expect(front.printsPorts)
        #expect(front.request == .run(try command("status")))
        #expect(front.operands == ["k"])
    }

    @Test func asksTheLocalNodeForATableUnlessTold() throws {
        let arguments = try NodetoolArguments(["info"])
        #expect(arguments.host == "127.0.0.1")
        #expect(arguments.port == 7_199)
        #expect(arguments.format == .table)
        #expect(!arguments.printsPorts)
    }

    @Test func takesTheFlagsOfTheCommand() throws {
        #expect(try NodetoolArguments(["info", "--tokens"]).flags == ["-T"])
        #expect(try NodetoolArguments(["netstats", "-H", "--peers"]).flags == ["-H", "-P"])
        #expect(fault("status", "-T") == "There is no option -T of status.")
        #expect(fault("-T", "info") == "There is no option -T.")
    }

    @Test func takesKeysThatLookLikeOptionsBehindTwoDashes() throws {
        #expect(try NodetoolArguments(["getendpoints", "--", "k", "t", "-1"]).operands == ["k", "t", "-1"])
        #expect(try NodetoolArguments(["getendpoints", "k", "t", "-"]).operands == ["k", "t", "-"])
    }

    @Test func takesUsersAndPasswordsOfCassandrasTool() throws {
        let arguments = try NodetoolArguments(["-u", "anna", "-pw", "secret", "-pwf", "file", "version"])
        #expect(arguments.request == .run(try command("version")))
        #expect(arguments.user == "anna" && arguments.password == "secret" && arguments.passwordFile == "file")
    }

    @Test func namesTheNearestCommand() {
        #expect(fault("stauts") == "There is no command stauts. Did you mean status?")
        #expect(fault("describeclutser") == "There is no command describeclutser. Did you mean describecluster?")
        #expect(fault("xyzzyxyzzy") == "There is no command xyzzyxyzzy.")
    }

    @Test func tellsWhatIsWrong() {
        #expect(fault("-p", "0", "status") == "0 is not a port.")
        #expect(fault("-p", "65536", "status") == "65536 is not a port.")
        #expect(fault("status", "-h") == "The option -h needs a value.")
        #expect(fault("-F", "xml", "status") == "The format is table, json or yaml, not xml.")
        #expect(fault("--colour", "status") == "There is no option --colour.")
        #expect(fault("version", "k") == "version takes no arguments.")
        #expect(fault("status", "a", "b") == "status takes the arguments [KEYSPACE].")
        #expect(fault("getendpoints", "k", "t") == "getendpoints takes the arguments KEYSPACE TABLE KEY.")
    }

    @Test func helpsWithEverythingOrWithOneCommand() throws {
        #expect(try NodetoolArguments([]).request == .help(nil))
        #expect(try NodetoolArguments(["help"]).request == .help(nil))
        #expect(try NodetoolArguments(["--help"]).request == .help(nil))
        #expect(try NodetoolArguments(["help", "ring"]).request == .help(try command("ring")))
        #expect(try NodetoolArguments(["ring", "--help"]).request == .help(try command("ring")))
        #expect(fault("help", "rign") == "There is no command rign. Did you mean ring?")
    }
}
