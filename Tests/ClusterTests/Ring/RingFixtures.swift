import Cluster
import DataModel
import Environment
import Primitives

func node(_ number: Int) -> NodeID { NodeID(UUID(high: 0, low: UInt64(number))) }

func member(
    _ number: Int, _ datacenter: String = "dc1", _ rack: String = "r1", tokens: [Int64],
    state: MemberState = .normal
) -> Member {
    let address = SocketAddress(ipv4: 127, 0, UInt8(number >> 8 & 255), UInt8(number & 255), port: 7000)
    let native = SocketAddress(host: address.host, port: 9042)
    return Member(
        id: node(number), internode: address, native: native, datacenter: datacenter, rack: rack,
        tokens: tokens.map { Token($0) }.sorted(), state: state, releaseVersion: "5.0.0")
}

extension SeededGenerator {
    mutating func token() -> Int64 { max(Int64(bitPattern: next()), .min + 1) }
}

/// A cluster of some shape: up to 3 data centres of up to 4 racks, nodes of 1 to 8 random tokens.
func randomMembers(_ generator: inout SeededGenerator) -> [Member] {
    let datacenterCount: Int = 1 + generator.below(3)
    let rackCounts: [Int] = (0..<datacenterCount).map { _ in 1 + generator.below(4) }
    return (1...(1 + generator.below(12))).map { number in
        let datacenter: Int = generator.below(datacenterCount)
        let rack: Int = generator.below(rackCounts[datacenter])
        let tokens: [Int64] = (0..<(1 + generator.below(8))).map { _ in generator.token() }
        return member(number, "dc\(datacenter)", "r\(rack)", tokens: tokens)
    }
}

func randomStrategy(_ generator: inout SeededGenerator) -> ReplicationStrategy {
    switch generator.below(8) {
    case 0: return .everywhere
    case 1...3: return .simple(factor: 1 + generator.below(5))
    default:
        return .networkTopology(
            (0..<3).map { .init(datacenter: "dc\($0)", factor: generator.below(5)) }.filter { $0.factor > 0 })
    }
}
