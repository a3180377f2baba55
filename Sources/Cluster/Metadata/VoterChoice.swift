/// Which members decide about the next change: few, so that a decision needs few answers, and apart from each other,
/// so that no single rack or data centre takes the majority away.
package enum VoterChoice {
    /// The most voters that there are.
    package static let maximumCount = 5

    /// How many voters a cluster of so many normal members has. Always odd: a fourth voter would have to be waited for
    /// and would not make up for one more failure. Two members have one voter, so that at least its death is the only
    /// one that matters.
    package static func count(forMembers count: Int) -> Int {
        switch count {
        case ...2: min(1, count)
        case 3...5: 3
        default: maximumCount
        }
    }

    /// The voters that these members should have, ascending.
    ///
    /// One by one, the member is chosen whose data centre has the fewest voters so far, then whose rack has; of those
    /// alike, who votes already stays.
    package static func voters(for members: [Member], present: [NodeID]) -> [NodeID] {
        var open: [Member] = members.filter { $0.state == .normal }
        let wanted: Int = count(forMembers: open.count)
        var chosen: [Member] = []
        while chosen.count < wanted {
            var best: Int = 0
            var bestRank: (Int, Int, Int, NodeID)?
            for (index, member) in open.enumerated() {
                let inDatacenter: [Member] = chosen.filter { $0.datacenter == member.datacenter }
                let inRack: Int = inDatacenter.count { $0.rack == member.rack }
                let rank = (inDatacenter.count, inRack, present.contains(member.id) ? 0 : 1, member.id)
                if let known = bestRank, known <= rank { continue }
                (best, bestRank) = (index, rank)
            }
            chosen.append(open.remove(at: best))
        }
        return chosen.map(\.id).sorted()
    }
}

extension ClusterMetadata {
    /// The voters that the members should have now. A cluster none of whose members is normal keeps those it has.
    package var chosenVoters: [NodeID] {
        let chosen: [NodeID] = VoterChoice.voters(for: members, present: voters)
        return chosen.isEmpty ? voters : chosen
    }
}
