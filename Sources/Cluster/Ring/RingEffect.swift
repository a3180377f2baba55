import DataModel
import Primitives

/// What one change does to a ring, in the numbers of one topology.
struct RingEffect: Sendable {
    /// The change; nil for a member that is joining or leaving without one.
    let change: UUID?
    /// The number of the node whose tokens change, and its tokens afterwards.
    let node: Int
    let tokens: [Token]
    /// The number of the node that it replaces.
    let replaced: Int?
    /// The number of the node that is dead for good.
    let dead: Int?
    let handedOver: RangeSet

    /// What is under way among members: the changes, and members that join or leave without one.
    ///
    /// - Parameter indexes: the number of each member.
    static func effects(of changes: [RingChange], on members: [Member], _ indexes: [NodeID: Int]) -> [RingEffect] {
        var effects: [RingEffect] = changes.compactMap { change in
            guard let node = indexes[change.node] else { return nil }
            return RingEffect(
                change: change.id, node: node, tokens: change.tokens,
                replaced: change.replaced.flatMap { indexes[$0] }, dead: change.dead.flatMap { indexes[$0] },
                handedOver: change.handedOver)
        }
        for index in members.indices where !changes.contains(where: { $0.node == members[index].id }) {
            let state: MemberState = members[index].state
            guard state == .joining || state == .leaving else { continue }
            effects.append(
                RingEffect(
                    change: nil, node: index, tokens: state == .joining ? members[index].tokens : [], replaced: nil,
                    dead: nil, handedOver: RangeSet()))
        }
        return effects
    }
}

/// The rings that the changes under way lead to, each made when it is first asked for.
///
/// A ring is known by a mask: the bit of an effect says whether the change has been carried out in it.
struct ComingRings {
    let effects: [RingEffect]
    private let members: [Member]
    private let nodes: [RingNode]
    private let datacenterCount: Int
    private var made: [UInt64: TokenRing] = [:]

    init(_ effects: [RingEffect], members: [Member], nodes: [RingNode], datacenterCount: Int) {
        self.effects = Array(effects.prefix(64))
        self.members = members
        self.nodes = nodes
        self.datacenterCount = datacenterCount
    }

    /// The mask of all changes.
    var all: UInt64 { effects.count == 64 ? .max : (1 << UInt64(effects.count)) &- 1 }

    /// The rings that something is written for: before all changes, after each alone, after all of them.
    var wanted: [UInt64] {
        var masks: [UInt64] = [0] + effects.indices.map { 1 << UInt64($0) }
        if effects.count > 1 { masks.append(all) }
        return masks
    }

    /// The changes by which a token has been handed over.
    func handedOver(_ token: Token) -> UInt64 {
        effects.indices.reduce(0) { mask, index in
            effects[index].handedOver.contains(token) ? mask | 1 << UInt64(index) : mask
        }
    }

    mutating func ring(_ mask: UInt64) -> TokenRing {
        if let known = made[mask] { return known }
        var tokens: [[Token]] = members.map { $0.state.isOwner ? $0.tokens : [] }
        for index in effects.indices where mask & 1 << UInt64(index) != 0 {
            tokens[effects[index].node] = effects[index].tokens
            if let replaced = effects[index].replaced { tokens[replaced] = [] }
        }
        var entries: [(token: Token, owner: Int)] = []
        for (owner, owned) in tokens.enumerated() {
            for token in owned { entries.append((token, owner)) }
        }
        let ring = TokenRing(nodes: nodes, datacenterCount: datacenterCount, entries: entries)
        made[mask] = ring
        return ring
    }
}
