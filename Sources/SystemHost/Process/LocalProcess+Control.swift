import CSystemCalls
package import Environment
import Glibc

extension LocalProcess {
    package enum Signal: Sendable {
        /// Asks it to end (SIGTERM).
        case terminate
        /// Ends it without asking (SIGKILL).
        case kill
    }

    /// Starts a program in a session of its own, which goes on when this one has ended.
    ///
    /// - Parameters:
    ///   - arguments: without the program's name.
    ///   - log: the file behind which its output and its errors are written.
    /// - Returns: the process.
    /// - Throws: when the program cannot be started or the log cannot be written.
    package static func start(_ program: String, _ arguments: [String], log: String) throws(DiskError) -> Int32 {
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        let process: Int32 = martlet_start_detached(program, words, log)
        if process < 0 { throw .system(-process, program) }
        // The process is there a moment before the system shows its arguments.
        for _ in 0..<1_000 where commandLine(of: process) == nil && !hasEnded(process) { usleep(1_000) }
        return process
    }

    /// Whether there is no such process, or only what is left of one until its parent has asked for its status.
    package static func hasEnded(_ process: Int32) -> Bool {
        guard process > 0, let bytes = try? SmallFiles.read("/proc/\(process)/stat", limit: 1 << 20) else {
            return true
        }
        // The state stands behind the name (proc(5)), which may hold anything.
        let line = String(decoding: bytes, as: UTF8.self)
        let state: Character? = line.lastIndex(of: ")").flatMap { line[$0...].dropFirst(2).first }
        return state == nil || state == "Z" || state == "X"
    }

    /// The program's name and arguments; nil when there is no such process, or it has ended.
    package static func commandLine(of process: Int32) -> [String]? {
        guard process > 0, let bytes = try? SmallFiles.read("/proc/\(process)/cmdline", limit: 1 << 20), !bytes.isEmpty
        else { return nil }
        let words: [ArraySlice<UInt8>] = bytes.split(separator: 0, omittingEmptySubsequences: false)
        return words.dropLast(bytes.last == 0 ? 1 : 0).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Sends a signal; false when there is no such process, or it belongs to somebody else.
    @discardableResult
    package static func send(_ signal: Signal, to process: Int32) -> Bool {
        // Numbers below 1 mean groups of processes.
        guard process > 0 else { return false }
        return kill(process, signal == .kill ? SIGKILL : SIGTERM) == 0
    }

    /// The program that this process runs; nil when the system does not say.
    package static var ownProgram: String? {
        var bytes = [CChar](repeating: 0, count: 4_096)
        let count: Int = readlink("/proc/self/exe", &bytes, bytes.count)
        guard count > 0, count < bytes.count else { return nil }
        return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The folder that relative paths start from; nil when it is gone.
    package static var workingDirectory: String? {
        guard let path = getcwd(nil, 0) else { return nil }
        defer { free(path) }
        return String(cString: path)
    }
}
