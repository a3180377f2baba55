import Cluster
import Primitives
import Testing

/// Who decides about changes.
@Suite struct VoterChoiceTests {
    private func choice(_ members: [Member], present: [Int] = []) -> [Int] {
        VoterChoice.voters(for: members, present: present.map { node($0) }).map { Int($0.uuid.low) }
    }

    @Test func thereIsAnOddNumberOfThem() {
        let counts: [Int] = (0...9).map { VoterChoice.count(forMembers: $0) }
        #expect(counts == [0, 1, 1, 3, 3, 3, 5, 5, 5, 5])
        #expect(choice([]) == [])
    }

    @Test func racksAndDatacentersAreMixed() {
        let members = [
            member(1, "a", "r1", tokens: [1]), member(2, "a", "r1", tokens: [2]), member(3, "a", "r2", tokens: [3]),
            member(4, "a", "r3", tokens: [4]), member(5, "b", "r1", tokens: [5]),
        ]
        #expect(choice(members) == [1, 3, 5])
        #expect(choice(members, present: [2, 4]) == [2, 4, 5])
        // All three on one rack is what no choice makes, even of those that vote already.
        #expect(choice(members, present: [1, 2]) == [1, 3, 5])
    }

    @Test func onlyNormalMembersVote() {
        var members = (1...4).map { member($0, tokens: [Int64($0)]) }
        members[0].state = .left
        members[1].state = .joining
        #expect(choice(members, present: [1]) == [3])
    }

    @Test(arguments: 0..<500)
    func theChoiceStaysAsLongAsTheMembersDo(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let members = randomMembers(&generator)
        let present = members.filter { _ in generator.oneIn(3) }.map(\.id)
        let first = VoterChoice.voters(for: members, present: present)
        #expect(VoterChoice.voters(for: members, present: first) == first, "seed \(seed)")
        #expect(Set(first).count == VoterChoice.count(forMembers: members.count), "seed \(seed)")
    }
}
