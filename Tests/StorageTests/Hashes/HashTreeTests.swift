import DataModel
import Primitives
import Testing

@testable import Storage

@Suite struct HashTreeTests {
    private static let frame = HashFrame(nowSeconds: 1_000, purgeSeconds: 100)

    private static func leaf(_ tokens: ClosedRange<Int64>, _ number: UInt64, _ life: LeafLife = LeafLife())
        -> HashTree.Leaf
    {
        HashTree.Leaf(
            tokens: Token(tokens.lowerBound)...Token(tokens.upperBound),
            hash: LeafHash(low: number, high: 0, unitCount: 1), life: life)
    }

    private static func known(_ tree: HashTree, _ tokens: ClosedRange<Int64>) -> UInt64? {
        tree.leaf(Token(tokens.lowerBound)...Token(tokens.upperBound), frame)?.hash.low
    }

    @Test func leavesAreFoundByExactlyTheirTokens() {
        var tree = HashTree()
        tree.put([HashTreeTests.leaf(0...9, 1), HashTreeTests.leaf(10...19, 2)])
        #expect(HashTreeTests.known(tree, 0...9) == 1)
        #expect(HashTreeTests.known(tree, 10...19) == 2)
        #expect(HashTreeTests.known(tree, 0...8) == nil)
        #expect(HashTreeTests.known(tree, 20...29) == nil)
    }

    @Test func newLeavesTakeThePlaceOfThoseTheyOverlap() {
        var tree = HashTree()
        tree.put([HashTreeTests.leaf(0...9, 1), HashTreeTests.leaf(10...19, 2), HashTreeTests.leaf(20...29, 3)])
        tree.put([HashTreeTests.leaf(5...12, 4)])
        #expect(tree.count == 2)
        #expect(HashTreeTests.known(tree, 5...12) == 4)
        #expect(HashTreeTests.known(tree, 20...29) == 3)
        tree.put([HashTreeTests.leaf(0...4, 5), HashTreeTests.leaf(30...30, 6)])
        #expect(tree.count == 4)
        #expect(HashTreeTests.known(tree, 5...12) == 4)
    }

    @Test func aPartThatIsHashedApartDoesNotTakeThePlaceOfTheWhole() {
        var tree = HashTree()
        tree.put([HashTreeTests.leaf(0...9, 1), HashTreeTests.leaf(10...19, 2)])
        tree.put([HashTreeTests.leaf(3...5, 3)])
        #expect(HashTreeTests.known(tree, 0...9) == 1)
        #expect(tree.count == 2)
        // Once the whole has changed, or all of it is cut anew, its parts are kept.
        tree.forget(Token(4))
        tree.put([HashTreeTests.leaf(3...5, 3)])
        #expect(HashTreeTests.known(tree, 3...5) == 3)
        tree.put([HashTreeTests.leaf(10...14, 4), HashTreeTests.leaf(15...19, 5)])
        #expect(HashTreeTests.known(tree, 10...14) == 4)
        #expect(HashTreeTests.known(tree, 15...19) == 5)
        #expect(tree.count == 3)
    }

    @Test func aChangeForgetsTheLeafThatItIsInAndNoOther() {
        var tree = HashTree()
        tree.put([HashTreeTests.leaf(0...9, 1), HashTreeTests.leaf(12...19, 2)])
        tree.forget(Token(11))
        #expect(tree.count == 2)
        tree.forget(Token(12))
        #expect(HashTreeTests.known(tree, 12...19) == nil)
        #expect(HashTreeTests.known(tree, 0...9) == 1)
        tree.forget(Token(-5)...Token(0))
        #expect(tree.count == 0)
        #expect(tree.cut(at: Token(3)) == Token(0)...Token(9))
    }

    @Test func aHashHoldsOnlyWhileTimeChangesNothing() {
        var life = LeafLife()
        life.expiredUntil = 900
        life.aliveUntil = 1_100
        life.leftOutUntil = 50
        life.oldestTombstone = 200
        #expect(life.holds(for: HashFrame(nowSeconds: 900, purgeSeconds: 51)))
        #expect(life.holds(for: HashFrame(nowSeconds: 1_099, purgeSeconds: 200)))
        #expect(!life.holds(for: HashFrame(nowSeconds: 899, purgeSeconds: 100)))
        #expect(!life.holds(for: HashFrame(nowSeconds: 1_100, purgeSeconds: 100)))
        #expect(!life.holds(for: HashFrame(nowSeconds: 1_000, purgeSeconds: 50)))
        #expect(!life.holds(for: HashFrame(nowSeconds: 1_000, purgeSeconds: 201)))
        #expect(LeafLife().holds(for: HashFrame(nowSeconds: 0, purgeSeconds: .min)))
    }

    @Test func aTreeSurvivesItsEncodingWithoutWhatIsForgotten() throws {
        var tree = HashTree()
        var life = LeafLife()
        life.oldestTombstone = 500
        tree.put([HashTreeTests.leaf(0...9, 1, life), HashTreeTests.leaf(10...19, 2), HashTreeTests.leaf(30...39, 3)])
        tree.forget(Token(15))
        var writer = ByteWriter()
        tree.write(to: &writer)
        let bytes: [UInt8] = writer.array()
        var reader = ByteReader(bytes.span.bytes)
        let read = try HashTree(from: &reader)
        #expect(read.count == 2)
        #expect(HashTreeTests.known(read, 30...39) == 3)
        #expect(read.leaf(Token(0)...Token(9), HashTreeTests.frame)?.life == life)
    }

    @Test(arguments: [0, 1, 3, 4, 40, 75]) func aTreeThatIsCutShortIsRefused(_ length: Int) {
        var tree = HashTree()
        tree.put([HashTreeTests.leaf(0...9, 1)])
        var writer = ByteWriter()
        tree.write(to: &writer)
        let bytes: [UInt8] = Array(writer.array().prefix(length))
        #expect(throws: DecodingError.self) {
            var reader = ByteReader(bytes.span.bytes)
            _ = try HashTree(from: &reader)
        }
    }

    @Test func noMoreLeavesAreKeptThanTheLimit() {
        var tree = HashTree()
        let leaves: [HashTree.Leaf] = (0...HashTree.leafLimit).map { number in
            HashTreeTests.leaf(Int64(number)...Int64(number), UInt64(number))
        }
        tree.put(leaves)
        #expect(tree.count == HashTree.leafLimit)
    }

    @Test func theSumOfALeafDoesNotDependOnTheOrderAndCarries() {
        var left = LeafHash()
        left.add(UnitHash(low: .max, high: 1))
        left.add(UnitHash(low: 2, high: 3))
        var right = LeafHash()
        right.add(UnitHash(low: 2, high: 3))
        right.add(UnitHash(low: .max, high: 1))
        #expect(left == right)
        #expect(left == LeafHash(low: 1, high: 5, unitCount: 2))
    }
}
