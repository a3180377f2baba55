/// What a value that a node tells about itself is about.
///
/// The numbers and names are those of Cassandra, whose `gossipinfo` people and scripts read. A number that is not known
/// here comes from a node of a later version and is passed on untouched.
package struct ApplicationState: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package static let status = ApplicationState(rawValue: 0)
    package static let load = ApplicationState(rawValue: 1)
    package static let schema = ApplicationState(rawValue: 2)
    package static let datacenter = ApplicationState(rawValue: 3)
    package static let rack = ApplicationState(rawValue: 4)
    package static let releaseVersion = ApplicationState(rawValue: 5)
    package static let severity = ApplicationState(rawValue: 10)
    package static let netVersion = ApplicationState(rawValue: 11)
    package static let hostID = ApplicationState(rawValue: 12)
    package static let tokens = ApplicationState(rawValue: 13)
    package static let nativeReady = ApplicationState(rawValue: 14)
    package static let internodeAddress = ApplicationState(rawValue: 15)
    package static let nativeAddress = ApplicationState(rawValue: 16)
    package static let statusWithPort = ApplicationState(rawValue: 17)
    package static let sstableVersions = ApplicationState(rawValue: 18)
    package static let diskUsage = ApplicationState(rawValue: 19)
    package static let indexStatus = ApplicationState(rawValue: 20)
    /// The epoch of the metadata that the node has applied.
    package static let metadataEpoch = ApplicationState(rawValue: 128)

    private static let names: [String] = [
        "STATUS", "LOAD", "SCHEMA", "DC", "RACK", "RELEASE_VERSION", "REMOVAL_COORDINATOR", "INTERNAL_IP",
        "RPC_ADDRESS", "X_11_PADDING", "SEVERITY", "NET_VERSION", "HOST_ID", "TOKENS", "RPC_READY",
        "INTERNAL_ADDRESS_AND_PORT", "NATIVE_ADDRESS_AND_PORT", "STATUS_WITH_PORT", "SSTABLE_VERSIONS", "DISK_USAGE",
        "INDEX_STATUS",
    ]

    package var description: String {
        if self == .metadataEpoch { return "METADATA_EPOCH" }
        let index = Int(rawValue)
        return index < ApplicationState.names.count ? ApplicationState.names[index] : "STATE_\(index)"
    }

    package static func < (left: ApplicationState, right: ApplicationState) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// A sign of life: which life of the node it is of, and when in it, by the node's own monotonic clock.
package struct Heartbeat: Hashable, Comparable, Sendable {
    /// Larger with every start of the node.
    package var generation: Int32
    /// Milliseconds since a moment of that life.
    package var milliseconds: UInt64

    /// No node lives this long (about 34 years), and sums of it and a time do not overflow.
    package static let maximumMilliseconds: UInt64 = 1 << 40

    package init(generation: Int32, milliseconds: UInt64) {
        self.generation = generation
        self.milliseconds = milliseconds
    }

    package static func < (left: Heartbeat, right: Heartbeat) -> Bool {
        (left.generation, left.milliseconds) < (right.generation, right.milliseconds)
    }
}

/// What is known about a node from its own mouth.
package struct EndpointState: Hashable, Sendable {
    /// One value that the node tells about itself.
    package struct Entry: Hashable, Sendable {
        package let key: ApplicationState
        package let value: String
        /// The node's version when it set the value.
        package let version: UInt32
    }

    /// The most values of a node, and the most bytes of one.
    package static let maximumEntryCount = 64
    package static let maximumValueByteCount = 4_096

    package let id: NodeID
    package var heartbeat: Heartbeat
    /// Counts the heartbeats and changes of this life.
    package var version: UInt32
    /// Ascending by key.
    package internal(set) var entries: [Entry] = []

    package init(id: NodeID, heartbeat: Heartbeat, version: UInt32) {
        self.id = id
        self.heartbeat = heartbeat
        self.version = version
    }

    package subscript(key: ApplicationState) -> String? {
        entries.first { $0.key == key }?.value
    }

    /// Whether the node has said that it stops.
    package var hasStopped: Bool { self[.statusWithPort] == EndpointState.stoppedStatus }

    /// The status of a node that stops in an orderly way.
    package static let stoppedStatus = "shutdown,true"

    /// The same without what was set at or before `version`.
    func changes(since version: UInt32) -> EndpointState {
        var state = EndpointState(id: id, heartbeat: heartbeat, version: self.version)
        state.entries = entries.filter { $0.version > version }
        return state
    }

    mutating func put(_ entry: Entry) {
        let index: Int = entries.firstIndex { $0.key >= entry.key } ?? entries.count
        if index < entries.count, entries[index].key == entry.key {
            if entry.version > entries[index].version { entries[index] = entry }
        } else if entries.count < EndpointState.maximumEntryCount {
            entries.insert(entry, at: index)
        }
    }

    /// About how many bytes the state takes in a message.
    var estimatedByteCount: Int {
        entries.reduce(48) { $0 + 12 + $1.value.utf8.count }
    }
}
