import CSystemCalls
import Glibc
import Synchronization

/// The terminal that a person types into: standard input and output, key by key when asked for.
package final class Terminal: Sendable {
    package enum Stream: Int32, Sendable {
        case input = 0
        case output = 1
        case error = 2
    }

    /// The settings to go back to; nil while the terminal is not raw.
    private let settings = Mutex<termios?>(nil)

    package init() {}

    deinit {
        leaveRawMode()
    }

    /// Whether a stream is a terminal and not a file or a pipe.
    package static func isTerminal(_ stream: Stream) -> Bool {
        isatty(stream.rawValue) == 1
    }

    /// Columns and rows; nil when the output is not a terminal.
    package static var size: (columns: Int, rows: Int)? {
        let size: UInt32 = martlet_window_size(Stream.output.rawValue)
        return size == 0 ? nil : (columns: Int(size >> 16), rows: Int(size & 0xFFFF))
    }

    /// Hands over each key as it is typed, without showing it; false when the input is not a terminal.
    @discardableResult
    package func enterRawMode() -> Bool {
        settings.withLock { saved in
            if saved != nil { return true }
            var current = termios()
            guard tcgetattr(0, &current) == 0 else { return false }
            var raw: termios = current
            cfmakeraw(&raw)
            // Output is still translated, so that a line feed starts a line at its beginning.
            raw.c_oflag |= tcflag_t(OPOST)
            guard tcsetattr(0, TCSADRAIN, &raw) == 0 else { return false }
            saved = current
            return true
        }
    }

    /// Gives the terminal back as it was.
    package func leaveRawMode() {
        settings.withLock { saved in
            guard var former = saved else { return }
            tcsetattr(0, TCSADRAIN, &former)
            saved = nil
        }
    }

    /// Waits for input and returns what there is, at most `limit` bytes; empty at the end of the input. Blocks the thread.
    package static func read(limit: Int = 4_096) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: max(1, limit))
        let count: Int = retrying { Glibc.read(Stream.input.rawValue, &bytes, bytes.count) }
        return count > 0 ? [UInt8](bytes[..<count]) : []
    }

    /// Whether input comes within `milliseconds`: tells the Escape key from the start of a sequence.
    package static func hasInput(withinMilliseconds milliseconds: Int32) -> Bool {
        var wanted = pollfd(fd: Stream.input.rawValue, events: Int16(POLLIN), revents: 0)
        return poll(&wanted, 1, milliseconds) > 0
    }

    /// Writes all of `text`; false when the other side is gone, such as a closed pipe.
    @discardableResult
    package static func write(_ text: String, to stream: Stream = .output) -> Bool {
        var text = text
        return text.withUTF8 { write(UnsafeRawBufferPointer($0), to: stream) }
    }

    /// Writes all of `bytes`; false when the other side is gone.
    @discardableResult
    package static func write(_ bytes: UnsafeRawBufferPointer, to stream: Stream = .output) -> Bool {
        var done = 0
        while done < bytes.count {
            let part = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count: Int = retrying { Glibc.write(stream.rawValue, part.baseAddress, part.count) }
            if count <= 0 { return false }
            done += count
        }
        return true
    }
}
