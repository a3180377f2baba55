/// Where a person sits, or the pipes that stand for one. The executable implements it with the operating system.
package protocol ShellTerminal: Sendable {
    /// Whether keys come one by one, as a person types them.
    var isInputTerminal: Bool { get }
    var isOutputTerminal: Bool { get }
    /// How many columns the screen has; nil when there is none.
    var columnCount: Int? { get }

    /// The value of an environment variable; nil when it is not set.
    func environmentVariable(_ name: String) -> String?

    /// From now on keys come at once and unseen; false when the input is no terminal.
    func enterRawMode() -> Bool
    func leaveRawMode()

    /// Waits for input and returns what there is; empty at its end. May block its thread.
    func read() -> [UInt8]
    /// Whether `read` will return within some milliseconds, which this waits for.
    func hasInput(withinMilliseconds milliseconds: Int) -> Bool

    func write(_ text: String)
    func writeError(_ text: String)

    /// Calls `react` when the person asks to interrupt what is running.
    func onInterrupt(_ react: @escaping @Sendable () -> Void)
}

/// The few files that a shell reads and writes. The executable implements it with the operating system.
package protocol ShellFiles: Sendable {
    /// Reads a whole file.
    func read(_ path: String) throws -> [UInt8]
    /// Writes a whole file, replacing what was there.
    func write(_ bytes: [UInt8], to path: String) throws
    /// Writes behind what a file has, which is made when it does not exist.
    func append(_ bytes: [UInt8], to path: String) throws
}
