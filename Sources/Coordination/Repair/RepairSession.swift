package import Cluster
import DataModel
package import Environment
import Primitives
package import Storage
import Synchronization

/// How replicas are compared, and what follows.
package struct RepairManner: Hashable, Sendable {
    /// Which replicas hash at the same time.
    package enum Parallelism: String, CaseIterable, Sendable {
        case sequential
        case parallel
        /// One in each data centre.
        case datacenterParallel = "dc_parallel"
    }

    package var mode: HashMode = .cached
    package var parallelism: Parallelism = .parallel
    /// Whether differences are only counted.
    package var isPreview = false

    package init() {}
}

/// Asks a repair to end.
package final class RepairCancellation: Sendable {
    private let flag = Atomic<Bool>(false)

    package init() {}

    package var isCancelled: Bool { flag.load(ordering: .relaxed) }

    package func cancel() { flag.store(true, ordering: .relaxed) }
}

/// Makes the replicas of one range of one table equal.
///
///     cut (every replica) ─▶ leaves ─▶ differ? ─▶ units ─▶ differ? ─▶ fetch versions ─▶ merge ─▶ apply where less
///                              └─▶ all equal: nothing was read where the trees are known
///
/// Both directions at once: every replica gets what it lacks of what all have together. In memory there are the leaves of
/// one request and a page of units, whatever the size of the table. Used by one task, on one loop.
package final class RepairSession {
    private static let requestTimeout: Duration = .seconds(600)
    /// Entries of one fetch.
    private static let entryLimit = 256

    private let target: RepairTarget
    private let manner: RepairManner
    private let local: NodeID
    private let messenger: any Messenger
    private let host: Host
    private let loop: any Loop
    private let cancellation: RepairCancellation
    /// Told what has been done since it was told last, and how much of the range is done, from 0 to 1.
    private let progress: @Sendable (RepairCounts, Double) -> Void
    private let frame: HashFrame
    /// Shared with the ranges before and after this one; nil where this is the only one.
    private let cuts: RepairCuts?
    /// All that replicas had then is compared.
    private var cutSeconds: Int64
    /// Mutations that wait to be sent, for each replica.
    private var outgoing: [[[UInt8]]]
    private var outgoingByteCount = 0
    /// Partitions whose versions differed when they were hashed and not when they were fetched.
    private var unresolvedCount = 0
    /// The oldest of the truncations that each replica had finished when that was fetched.
    private var truncations: [Int: Int64] = [:]

    package init(
        _ target: RepairTarget, _ manner: RepairManner, local: NodeID, messenger: any Messenger, host: Host,
        loop: any Loop, cuts: RepairCuts? = nil, cancellation: RepairCancellation = RepairCancellation(),
        progress: @escaping @Sendable (RepairCounts, Double) -> Void = { _, _ in }
    ) {
        self.target = target
        self.manner = manner
        self.local = local
        self.messenger = messenger
        self.host = host
        self.loop = loop
        self.cuts = cuts
        self.cancellation = cancellation
        self.progress = progress
        let now: Int64 = host.time.wallSeconds
        self.cutSeconds = now
        self.frame = HashFrame(nowSeconds: now, purgeSeconds: target.table.purge.comparisonStart(nowSeconds: now))
        self.outgoing = target.replicas.map { _ in [] }
    }

    /// Does the work; the replicas were equal, as of its beginning, when it returns, unless this was a preview.
    ///
    /// - Returns: when what was compared was cut, in seconds since 1970, if all owners of the range are known to be equal as of then; nil
    ///   when some did not take part, when the owners change, or when what differed could not be brought to anybody.
    @discardableResult
    package func run() async throws(RepairFailure) -> Int64? {
        guard let tokens = target.range.tokens, target.replicas.count > 1 else { return nil }
        var rest: ClosedRange<Token>? = tokens
        let depth: UInt8 = try await cut(tokens)
        while let wanted = rest {
            let leaves: [ClosedRange<Token>] = LeafGrid(tokens: wanted, depth: depth)
                .leaves(limit: RepairReplica.leafLimit)
            guard let last = leaves.last else { break }
            let answers: [HashedLeaves] = try await hash(wanted.lowerBound...last.upperBound, depth)
            let doneCount: Int = min(leaves.count, answers.map(\.hashes.count).min() ?? 0)
            guard doneCount > 0 else { throw .participant(target.replicas[0], reason: "It has hashed nothing") }
            count(answers, doneCount)
            let hashes: [[LeafHash]] = answers.map { Array($0.hashes.prefix(doneCount)) }
            for run in LeafComparison.differences(hashes) {
                try await compare(leaves[run.lowerBound].lowerBound...leaves[run.upperBound - 1].upperBound)
            }
            let end: Token = leaves[doneCount - 1].upperBound
            rest = end < tokens.upperBound ? Token(ordinal: end.ordinal + 1)...tokens.upperBound : nil
            let done = Double(end.ordinal - tokens.lowerBound.ordinal)
            progress(RepairCounts(), done / max(1, Double(tokens.upperBound.ordinal - tokens.lowerBound.ordinal)))
        }
        if manner.isPreview || !target.isComplete || unresolvedCount > 0 { return nil }
        return try await mark(tokens) ? cutSeconds : nil
    }

    // MARK: Leaves

    /// Has all replicas cut, and says how deep leaves are to be.
    private func cut(_ tokens: ClosedRange<Token>) async throws(RepairFailure) -> UInt8 {
        let now: UInt64 = host.time.monotonicNanoseconds
        let recent: Int64? = self.cuts?.recent(target.table.id, target.replicas, nowNanoseconds: now)
        cutSeconds = recent ?? host.time.wallSeconds
        let extent: CutRequest.Extent = recent != nil ? .nothing : self.cuts == nil ? .range : .table
        let body: [UInt8] = CutRequest(
            place: RepairPlace(table: target.table.id, tokens: tokens), extent: extent
        ).encoded()
        let cuts: [RepairMessage.Cut] = try await ask(.repairCut, everybody, body) { (bytes) throws(DecodingError) in
            try RepairMessage.Cut(decoding: bytes.span.bytes)
        }
        if extent == .table {
            self.cuts?.note(target.table.id, target.replicas, asOfSeconds: cutSeconds, atNanoseconds: now)
        }
        var partitionCount: Double = 0
        for (cut, share) in zip(cuts, target.shares) {
            // A node has partitions of all its ranges alike.
            let part: Double = share > 0 ? min(1, target.range.share / share) : 1
            partitionCount = max(partitionCount, Double(cut.partitionCount) * part)
        }
        let known: UInt8? = cuts.compactMap(\.depth).first
        return LeafGrid.fitting(tokens, partitionCount: partitionCount, known: known).depth
    }

    private func hash(_ tokens: ClosedRange<Token>, _ depth: UInt8) async throws(RepairFailure) -> [HashedLeaves] {
        let place = RepairPlace(table: target.table.id, tokens: tokens)
        let body: [UInt8] = LeavesRequest(place: place, depth: depth, frame: frame, mode: manner.mode).encoded()
        var answers: [HashedLeaves?] = target.replicas.map { _ in nil }
        for turn in turns {
            let found = try await ask(.repairLeaves, turn, body) { (bytes) throws(DecodingError) in
                try HashedLeaves(decoding: bytes.span.bytes)
            }
            for (index, answer) in zip(turn, found) { answers[index] = answer }
        }
        return answers.compactMap { $0 }
    }

    private var everybody: [Int] { Array(target.replicas.indices) }

    /// Who hashes at the same time.
    private var turns: [[Int]] {
        switch manner.parallelism {
        case .parallel: return [everybody]
        case .sequential: return everybody.map { [$0] }
        case .datacenterParallel:
            var turns: [[Int]] = []
            for index in everybody {
                let place: Int? = turns.firstIndex { turn in
                    !turn.contains { target.datacenters[$0] == target.datacenters[index] }
                }
                if let place { turns[place].append(index) } else { turns.append([index]) }
            }
            return turns
        }
    }

    private func count(_ answers: [HashedLeaves], _ doneCount: Int) {
        var counts = RepairCounts()
        for index in 0..<doneCount {
            let largest: UInt64 = answers.map { $0.hashes[index].unitCount }.max() ?? 0
            RepairCounts.add(Int(clamping: largest), to: &counts.rowsCompared)
        }
        for answer in answers {
            RepairCounts.add(answer.readByteCount, to: &counts.bytesRead)
            RepairCounts.add(answer.wrongCount, to: &counts.wrongLeaves)
        }
        progress(counts, 0)
    }

    // MARK: Units

    /// Compares what replicas have in leaves that differ, page by page, and exchanges what they lack.
    private func compare(_ tokens: ClosedRange<Token>) async throws(RepairFailure) {
        let place = RepairPlace(table: target.table.id, tokens: tokens)
        var mark: ReadMark?
        repeat {
            let body: [UInt8] = UnitsRequest(place: place, frame: frame, after: mark).encoded()
            let pages = try await ask(.repairUnits, everybody, body) { (bytes) throws(DecodingError) in
                try UnitPage(decoding: bytes.span.bytes)
            }
            let comparison = UnitComparison(pages)
            if let covered = comparison.covered, let mark, !mark.precedes(covered, isReversed: false) {
                throw .participant(target.replicas[0], reason: "A page of hashes does not go on")
            }
            mark = comparison.covered
            var counts = RepairCounts()
            counts.differences = comparison.differences.count
            progress(counts, 0)
            if !manner.isPreview { try await exchange(comparison.differences) }
        } while mark != nil
        try await send()
    }

    /// Fetches the versions of units that differ, and prepares what each replica lacks.
    private func exchange(_ differences: [UnitDifference]) async throws(RepairFailure) {
        var groups: [[Int]: [UnitDifference]] = [:]
        var order: [[Int]] = []
        for difference in differences {
            let classes: [Int] = speakers(difference)
            if groups[classes] == nil { order.append(classes) }
            groups[classes, default: []].append(difference)
        }
        for classes in order {
            try await exchange(UnitEntry.entries(of: groups[classes] ?? []), classes)
        }
    }

    /// For each replica, who speaks for it: one of those with the same version, this node if it is one of them. Who has
    /// no version speaks for itself, because it may still have the tombstone that took it away.
    private func speakers(_ difference: UnitDifference) -> [Int] {
        let own: Int? = target.replicas.firstIndex(of: local)
        let classes: [Int] = difference.classes
        return classes.indices.map { index in
            if difference.hashes[index] == nil { return index }
            if let own, classes[own] == classes[index] { return own }
            return classes[index]
        }
    }

    private func exchange(_ entries: [UnitEntry], _ speakers: [Int]) async throws(RepairFailure) {
        var rest: ArraySlice<UnitEntry> = entries[...]
        let asked: [Int] = Set(speakers).sorted()
        while !rest.isEmpty {
            let wanted = Array(rest.prefix(RepairSession.entryLimit))
            let body: [UInt8] = FetchRequest(table: target.table.id, entries: wanted).encoded()
            let found = try await ask(.repairFetch, asked, body) { (bytes) throws(DecodingError) in
                try Fragments.fetched(bytes)
            }
            for (index, answer) in zip(asked, found) {
                truncations[index] = min(answer.truncation, truncations[index] ?? .max)
            }
            let answers: [[[UInt8]]] = found.map(\.fragments)
            let doneCount: Int = min(wanted.count, answers.map(\.count).min() ?? 0)
            guard doneCount > 0 else { throw .participant(target.replicas[asked[0]], reason: "It has sent nothing") }
            for index in 0..<doneCount { try merge(answers.map { $0[index] }, asked, speakers) }
            rest = rest.dropFirst(doneCount)
            if outgoingByteCount >= Fragments.byteLimit { try await send() }
        }
    }

    /// Prepares what each replica lacks of one entry.
    private func merge(_ fragments: [[UInt8]], _ asked: [Int], _ speakers: [Int]) throws(RepairFailure) {
        let pages: [ReadPage] = fragments.map { fragment in
            var writer = ByteWriter(capacity: fragment.count + 4)
            Fragments.write(fragment, to: &writer)
            return ReadPage(
                covered: nil, liveRowCount: 0, tombstoneCount: 0, digest: PageDigest(), fragments: writer.array())
        }
        let repairs: [[[UInt8]]]
        do throws(StorageError) {
            repairs = try PageRepair.repairs(of: pages, upTo: nil, table: target.table.id, isReversed: false)
        } catch {
            throw .participant(target.replicas[asked[0]], reason: "Versions of a row cannot be merged: \(error)")
        }
        if repairs.allSatisfy(\.isEmpty) { unresolvedCount += 1 }
        for (place, speaker) in asked.enumerated() {
            for index in speakers.indices where speakers[index] == speaker {
                outgoing[index] += repairs[place]
                outgoingByteCount += repairs[place].reduce(0) { $0 + $1.count }
            }
        }
    }

    /// Brings the replicas what was prepared.
    private func send() async throws(RepairFailure) {
        let span = TruncationSpan(Array(truncations.values))
        let late: Set<Int> = Set(truncations.filter { $0.value < span.newest }.keys)
        truncations = [:]
        guard outgoingByteCount > 0 || span.isMixed else { return }
        for index in everybody {
            if outgoing[index].isEmpty, late.contains(index) {
                // It hears of the truncation that it has missed.
                let body: [UInt8] = Fragments.apply([], of: span, to: target.table.id)
                _ = try await ask(.repairApply, [index], body) { (_) throws(DecodingError) in }
            }
            var rest: ArraySlice<[UInt8]> = outgoing[index][...]
            outgoing[index] = []
            while !rest.isEmpty {
                var part: ArraySlice<[UInt8]> = rest.prefix(1)
                var byteCount: Int = part.first?.count ?? 0
                while part.count < rest.count, byteCount < Fragments.byteLimit {
                    part = rest.prefix(part.count + 1)
                    byteCount += part.last?.count ?? 0
                }
                let body: [UInt8] = Fragments.apply(part, of: span, to: target.table.id)
                _ = try await ask(.repairApply, [index], body) { (_) throws(DecodingError) in }
                var counts = RepairCounts()
                counts.rowsStreamed = part.reduce(0) { $0 + Fragments.rowCount($1) }
                counts.bytesStreamed = byteCount
                progress(counts, 0)
                rest = rest.dropFirst(part.count)
            }
        }
        outgoingByteCount = 0
    }

    /// Tells all replicas up to when they are known to be equal. Who does not hear of it keeps tombstones longer.
    ///
    /// - Returns: false when some of them know of other owners, who may have fetched from one of these before it was made
    ///   equal: nobody is told anything then.
    private func mark(_ tokens: ClosedRange<Token>) async throws(RepairFailure) -> Bool {
        var mark = RepairMark(
            place: RepairPlace(table: target.table.id, tokens: tokens),
            watermarkSeconds: target.table.purge.watermark(ofCutAt: cutSeconds), cutSeconds: cutSeconds,
            owners: target.replicas, isFinal: false)
        // Whoever gives to a new owner knows of the change before it does. So once all agree, all that this repair has
        // brought to anybody is there before anything is fetched from them.
        for isFinal in [false, true] {
            mark.isFinal = isFinal
            let answers: [Bool] = try await ask(.repairMark, everybody, mark.encoded()) {
                (bytes) throws(DecodingError) in bytes == [1]
            }
            if answers.contains(false) { return false }
        }
        return true
    }

    // MARK: Asking

    /// Asks some replicas the same, all at once, and returns their answers in the same order.
    private func ask<Answer: Sendable>(
        _ verb: Verb, _ indexes: [Int], _ body: [UInt8], _ decode: ([UInt8]) throws(DecodingError) -> Answer
    ) async throws(RepairFailure) -> [Answer] {
        if cancellation.isCancelled || Task.isCancelled { throw .cancelled }
        let messenger: any Messenger = self.messenger
        let requests: [LoopWork<[UInt8]>] = indexes.map { index in
            let node: NodeID = target.replicas[index]
            return LoopWork("repair", on: loop, of: host) {
                try await messenger.request(verb, body, to: node, timeout: RepairSession.requestTimeout)
            }
        }
        var answers: [Answer] = []
        var failure: RepairFailure?
        for (index, request) in zip(indexes, requests) {
            let node: NodeID = target.replicas[index]
            do {
                answers.append(try decode(try await request.value()))
            } catch {
                failure = failure ?? .participant(node, reason: RepairSession.words(error))
            }
        }
        if cancellation.isCancelled { throw .cancelled }
        if let failure { throw failure }
        return answers
    }

    private static func words(_ error: any Error) -> String {
        switch error {
        case MessageFailure.refused(_, _, let reason): reason
        case MessageFailure.unreachable: "It cannot be reached"
        case MessageFailure.timedOut: "It has not answered in time"
        case MessageFailure.overloaded: "Too much waits for it already"
        case MessageFailure.closed: "This node is stopping"
        case let error as DecodingError: "Its answer cannot be read: \(error)"
        default: "\(error)"
        }
    }
}
