import Environment
import Glibc
import SystemHost
import Testing

@Suite struct LocalProcessTests {
    /// Waits until a child of this process has ended and is forgotten.
    private func reap(_ process: Int32) -> Int32 {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        return status
    }

    @Test func startsAProgramThatWritesIntoItsLog() async throws {
        try await withOperatingSystem { _, folder in
            let log: String = folder + "/log"
            for word in ["one", "two"] {
                let script = "echo $0; echo error >&2; read line || echo no input"
                let process: Int32 = try LocalProcess.start("/bin/sh", ["-c", script, word], log: log)
                #expect(reap(process) == 0)
            }
            let text = String(decoding: try SmallFiles.read(log), as: UTF8.self)
            #expect(text == "one\nerror\nno input\ntwo\nerror\nno input\n")
        }
    }

    @Test func startsItInASessionOfItsOwnWithoutOurDescriptors() async throws {
        try await withOperatingSystem { _, folder in
            let log: String = folder + "/log"
            let opened: Int32 = open("/dev/null", O_RDONLY)
            defer { close(opened) }
            let script = "[ $(cut -d ' ' -f 6 /proc/$$/stat) = $$ ] && echo own; [ -e /proc/$$/fd/$0 ] || echo closed"
            let process: Int32 = try LocalProcess.start("/bin/sh", ["-c", script, String(opened)], log: log)
            #expect(reap(process) == 0)
            #expect(String(decoding: try SmallFiles.read(log), as: UTF8.self) == "own\nclosed\n")
        }
    }

    @Test func seesAProcessUntilItEnds() throws {
        let process: Int32 = try LocalProcess.start("/bin/cat", ["--", "/dev/zero"], log: "/dev/null")
        #expect(LocalProcess.commandLine(of: process) == ["/bin/cat", "--", "/dev/zero"])
        #expect(!LocalProcess.hasEnded(process))
        #expect(LocalProcess.send(.kill, to: process))
        #expect(reap(process) & 0x7F == SIGKILL)
        #expect(LocalProcess.commandLine(of: process) == nil)
        #expect(LocalProcess.hasEnded(process))
        #expect(!LocalProcess.send(.terminate, to: process))
    }

    @Test func endsAProcessThatIsAsked() throws {
        let process: Int32 = try LocalProcess.start("/bin/cat", ["/dev/zero"], log: "/dev/null")
        #expect(LocalProcess.send(.terminate, to: process))
        #expect(reap(process) & 0x7F == SIGTERM)
    }

    @Test func seesThatAProcessHasEndedThatNobodyAskedFor() throws {
        let process: Int32 = try LocalProcess.start("/bin/true", [], log: "/dev/null")
        for _ in 0..<10_000 where !LocalProcess.hasEnded(process) { usleep(1_000) }
        #expect(LocalProcess.hasEnded(process))
        #expect(LocalProcess.commandLine(of: process) == nil)
        #expect(reap(process) == 0)
    }

    @Test func knowsItself() throws {
        #expect(LocalProcess.commandLine(of: getpid())?.first == CommandLine.arguments.first)
        #expect(LocalProcess.ownProgram?.hasPrefix("/") == true)
        #expect(LocalProcess.workingDirectory?.hasPrefix("/") == true)
        #expect(!LocalProcess.send(.kill, to: 0))
        #expect(!LocalProcess.send(.kill, to: -1))
        #expect(LocalProcess.commandLine(of: 0) == nil)
    }

    @Test func tellsWhatCannotBeStarted() throws {
        #expect(throws: DiskError.notFound(path: "/nowhere/program")) {
            try LocalProcess.start("/nowhere/program", [], log: "/dev/null")
        }
        #expect(throws: DiskError.self) { try LocalProcess.start("/bin/true", [], log: "/nowhere/log") }
    }
}
