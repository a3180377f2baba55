/// How many replicas must answer a request; the raw value is the wire code.
public enum Consistency: UInt16, CaseIterable, Sendable, CustomStringConvertible {
    case any = 0
    case one = 1
    case two = 2
    case three = 3
    case quorum = 4
    case all = 5
    case localQuorum = 6
    case eachQuorum = 7
    case serial = 8
    case localSerial = 9
    case localOne = 10
    case nodeLocal = 11

    /// Whether it is a level of the Paxos rounds of lightweight transactions.
    @inlinable public var isSerial: Bool { self == .serial || self == .localSerial }

    /// Whether only replicas of the coordinator's datacenter count.
    @inlinable
    public var isDatacenterLocal: Bool {
        switch self {
        case .localOne, .localQuorum, .localSerial: true
        default: false
        }
    }

    /// The name in CQL texts, such as `LOCAL_QUORUM`.
    public var name: String {
        switch self {
        case .any: "ANY"
        case .one: "ONE"
        case .two: "TWO"
        case .three: "THREE"
        case .quorum: "QUORUM"
        case .all: "ALL"
        case .localQuorum: "LOCAL_QUORUM"
        case .eachQuorum: "EACH_QUORUM"
        case .serial: "SERIAL"
        case .localSerial: "LOCAL_SERIAL"
        case .localOne: "LOCAL_ONE"
        case .nodeLocal: "NODE_LOCAL"
        }
    }

    public var description: String { name }

    /// The level of that name, in any case of letters.
    public init?(named name: String) {
        let upper = name.uppercased()
        guard let found = Consistency.allCases.first(where: { $0.name == upper }) else { return nil }
        self = found
    }
}
