import Environment
import Synchronization

/// Writes the rows of a COPY TO into one file, or into one after the other.
struct CopyOutput {
    private let path: String?
    private let disk: any Disk
    private let rowsPerFile: Int?
    private var file: (any DiskFile)?
    private var offset = 0
    private var rowCount = 0
    private(set) var fileCount = 0

    init(path: String?, disk: any Disk, rowsPerFile: Int?) {
        self.path = path
        self.disk = disk
        self.rowsPerFile = rowsPerFile
    }

    /// Counts a row that was laid out; true when it was the last of its file and another one follows.
    mutating func countRow(_ writer: inout CSVWriter) async throws -> Bool {
        guard path != nil, let rowsPerFile else { return false }
        rowCount += 1
        guard rowCount >= rowsPerFile else { return false }
        try await write(writer.take())
        await file?.close()
        file = nil
        rowCount = 0
        return true
    }

    mutating func write(_ bytes: [UInt8]) async throws {
        guard let file = try await opened() else { return }
        try await file.write(bytes, at: offset)
        offset += bytes.count
    }

    mutating func close() async throws {
        if fileCount == 0 { _ = try await opened() }
        await file?.close()
        file = nil
    }

    private mutating func opened() async throws -> (any DiskFile)? {
        if let file { return file }
        guard let path else { return nil }
        // Files behind the first have a number, as cqlsh gives them.
        let opened = try await disk.open(fileCount == 0 ? path : "\(path).\(fileCount)", .update)
        try await opened.truncate(to: 0)
        file = opened
        fileCount += 1
        offset = 0
        return opened
    }
}

/// Reads the rows of a COPY FROM: from a file, or from the lines of the input up to `\.`.
struct CopyInput {
    private enum Source {
        case file(any DiskFile)
        case lines(InputLines)
    }

    private static let chunkByteCount: Int = 256 * 1_024

    private let source: Source
    private var reader: CSVReader
    private var offset = 0
    private var isFinished = false

    init(path: String, disk: any Disk, dialect: CSVDialect) async throws {
        self.source = .file(try await disk.open(path, .read))
        self.reader = CSVReader(dialect)
    }

    init(lines: InputLines, dialect: CSVDialect) {
        self.source = .lines(lines)
        self.reader = CSVReader(dialect)
    }

    /// The next row; nil at the end.
    mutating func next() async throws -> [String]? {
        while true {
            if let row = reader.next() { return row }
            if isFinished { return nil }
            try await fill()
        }
    }

    func close() async {
        if case .file(let file) = source { await file.close() }
    }

    private mutating func fill() async throws {
        switch source {
        case .file(let file):
            let bytes: [UInt8] = try await file.read(CopyInput.chunkByteCount, at: offset)
            offset += bytes.count
            reader.append(bytes)
            if bytes.isEmpty {
                reader.finish()
                isFinished = true
            }
        case .lines(let lines):
            guard let line = lines.next(), line != "\\." else {
                reader.finish()
                isFinished = true
                return
            }
            reader.append(Array((line + "\n").utf8))
        }
    }
}

/// The lines that come through the input of a terminal that is in no raw mode.
package final class InputLines: Sendable {
    private let terminal: any ShellTerminal
    private let state: Mutex<LineSplitter>

    package init(_ terminal: any ShellTerminal) {
        self.terminal = terminal
        self.state = Mutex(LineSplitter())
    }

    /// A line that has come already.
    func buffered() -> String? {
        state.withLock { $0.next() }
    }

    /// Waits for input; false at its end. The last line may then lack its line end.
    func wait() -> Bool {
        let bytes: [UInt8] = terminal.read()
        state.withLock { lines in
            if bytes.isEmpty { lines.finish() } else { lines.append(bytes) }
        }
        return !bytes.isEmpty
    }

    /// Whether input is there, or comes before a person would notice that something waits for it.
    var hasMoreSoon: Bool { terminal.hasInput(withinMilliseconds: 10) }

    /// The next line, as soon as it is there; nil at the end.
    func next() -> String? {
        while true {
            if let line = buffered() { return line }
            guard wait() else { return buffered() }
        }
    }
}
