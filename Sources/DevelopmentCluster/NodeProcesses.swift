/// Why something cannot be done with a cluster, in a sentence for the person who asked for it.
package struct ClusterFailure: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// What a cluster on this machine needs of the system beyond files and sockets.
package protocol NodeProcesses: Sendable {
    /// Starts a node that goes on when this process has ended; its output goes behind what the log has.
    func start(_ arguments: [String], log: String) throws(ClusterFailure) -> Int32
    /// Program and arguments of a process; nil when there is none, or it has ended.
    func commandLine(of process: Int32) -> [String]?
    func terminate(_ process: Int32)
    func kill(_ process: Int32)
}
