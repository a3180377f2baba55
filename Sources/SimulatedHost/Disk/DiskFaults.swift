import Environment

/// How long operations take, in virtual time.
package struct SimulatedLatency: Sendable {
    package var minimum: Duration
    package var maximum: Duration
    /// How often an operation takes `slowDuration` more.
    package var slowProbability: Double
    package var slowDuration: Duration

    package init(
        minimum: Duration, maximum: Duration, slowProbability: Double = 0, slowDuration: Duration = .zero
    ) {
        self.minimum = minimum
        self.maximum = maximum
        self.slowProbability = slowProbability
        self.slowDuration = slowDuration
    }

    /// No time at all.
    package static let none = SimulatedLatency(minimum: .zero, maximum: .zero)
}

/// What goes wrong on a simulated disk. Nothing does until a test says so.
package struct DiskFaults: Sendable {
    /// How often an operation fails with an input/output error, from 0 to 1.
    package var failureProbability: Double = 0
    /// The operation that fails, counted as `SimulatedDisk.operationCount` counts: 0 is the first one of the disk.
    package var failingOperation: Int?
    /// Only operations on paths that contain this fail; all when nil.
    package var failingPathPart: String?
    /// How many bytes the files may have together; no limit when nil.
    package var capacityByteCount: Int?
    /// How often `readIfCached` finds nothing.
    package var cacheMissProbability: Double = 0.1
    package var latency = SimulatedLatency(minimum: .microseconds(20), maximum: .microseconds(200))

    package init() {}
}

/// The numbers by which Linux names errors.
enum SystemErrorNumber {
    static let inputOutput: Int32 = 5
    static let badDescriptor: Int32 = 9
    static let notADirectory: Int32 = 20
    static let isADirectory: Int32 = 21
    static let invalid: Int32 = 22
    static let directoryNotEmpty: Int32 = 39
    static let connectionReset: Int32 = 104
}

extension DiskError {
    static func inputOutput(_ path: String) -> DiskError {
        .failed(path: path, code: SystemErrorNumber.inputOutput, reason: "Input/output error")
    }

    static func invalid(_ path: String) -> DiskError {
        .failed(path: path, code: SystemErrorNumber.invalid, reason: "Invalid argument")
    }
}
