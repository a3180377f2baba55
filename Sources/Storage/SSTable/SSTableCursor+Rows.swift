internal import DataModel
internal import Primitives

extension SSTableCursor {
    /// What `nextRow` does next.
    enum RowStage {
        /// Finds the rows of slice `sliceIndex`, in the current segment if they can be there.
        case slice
        /// Finds their block by the index.
        case locate
        /// Gets the block at `location`, then stands where the slice begins in it.
        case fetchSlice
        /// Moves to the neighbouring block of the partition.
        case advance
        /// Gets the block at `location`, then stands at its near end.
        case fetchNeighbour
        /// Steps through the current segment.
        case step
        case done
    }

    func beginRows() {
        sliceIndex = command.isReversed ? slices.count - 1 : 0
        rowStage = slices.isEmpty ? .done : .slice
    }

    package func nextRow() throws(StorageError) -> SourceStep {
        while true {
            switch rowStage {
            case .done: return .end
            case .step:
                if command.isReversed ? stepBackwards() : stepForwards() { return .ready }
            case .slice:
                if command.isReversed ? beginSliceBackwards() : beginSliceForwards() { return .ready }
            case .locate:
                let slice: ClusteringSlice = slices[sliceIndex]
                let target: [UInt8] = command.isReversed ? slice.end : slice.start
                let movement: TreeWalk.Movement =
                    try target.span.bytes.withUnsafeBytes { (target) throws(StorageError) in
                        try walk.seek(ordinal, key, target, &fetcher)
                    }
                if try !take(movement, then: .fetchSlice) { return .blocked }
            case .advance:
                let movement: TreeWalk.Movement =
                    command.isReversed ? try walk.previous(&fetcher) : try walk.next(&fetcher)
                if try !take(movement, then: .fetchNeighbour) { return .blocked }
            case .fetchSlice:
                guard let segment = try fetchSegment() else { return .blocked }
                if command.isReversed {
                    rows.beginBackwards(segment, before: slices[sliceIndex].end)
                    rowStage = .step
                } else if rows.seek(segment, slices[sliceIndex].start) {
                    if acceptForwards() { return .ready }
                } else {
                    rowStage = segment.flags.contains(.continuesAfter) ? .advance : .done
                }
            case .fetchNeighbour:
                guard let segment = try fetchSegment() else { return .blocked }
                if command.isReversed { rows.beginBackwards(segment) } else { rows.begin(segment) }
                rowStage = .step
            }
        }
    }

    /// False when blocked.
    private func take(_ movement: TreeWalk.Movement, then stage: RowStage) throws(StorageError) -> Bool {
        switch movement {
        case .blocked: return false
        case .end: throw lostPartition()
        case .moved(let next):
            hasLeftBlock = true
            location = next
            rowStage = stage
            return true
        }
    }

    /// The partition's segment in the block at `location`; nil when blocked.
    private func fetchSegment() throws(StorageError) -> BlockSegment? {
        guard let next = try fetcher.block(location) else { return nil }
        guard let index = next.find(ordinal, key) else { throw lostPartition() }
        block = next
        segmentIndex = index
        hasLeftBlock = false
        return next.segment(index)
    }

    private var segment: BlockSegment? { block?.segment(segmentIndex) }

    // MARK: Forwards

    private func beginSliceForwards() -> Bool {
        guard let segment, sliceIndex < slices.count else {
            rowStage = .done
            return false
        }
        if rows.seek(segment, slices[sliceIndex].start) { return acceptForwards() }
        rowStage = segment.flags.contains(.continuesAfter) ? .locate : .done
        return false
    }

    private func stepForwards() -> Bool {
        if rows.next() { return acceptForwards() }
        rowStage = segment?.flags.contains(.continuesAfter) == true ? .advance : .done
        return false
    }

    /// Whether the current row is inside the slice; else the next slice is next.
    private func acceptForwards() -> Bool {
        let clustering: UnsafeRawBufferPointer = rows.clustering
        if slices[sliceIndex].end.withUnsafeBytes({ ByteOrder.compare(clustering, $0) < 0 }) {
            rowStage = .step
            return true
        }
        sliceIndex += 1
        rowStage = .slice
        return false
    }

    // MARK: Backwards

    private func beginSliceBackwards() -> Bool {
        guard let segment, sliceIndex >= 0 else {
            rowStage = .done
            return false
        }
        // Rows at the end of the slice may be in later blocks, unless a row after the slice was seen in this one.
        let isFirst: Bool = sliceIndex == slices.count - 1
        if isFirst, segment.flags.contains(.continuesAfter) {
            rowStage = .locate
            return false
        }
        rows.beginBackwards(segment, before: slices[sliceIndex].end)
        if rows.previous() { return acceptBackwards() }
        rowStage = segment.flags.contains(.continuesBefore) ? .locate : .done
        return false
    }

    private func stepBackwards() -> Bool {
        if rows.previous() { return acceptBackwards() }
        rowStage = segment?.flags.contains(.continuesBefore) == true ? .advance : .done
        return false
    }

    private func acceptBackwards() -> Bool {
        let clustering: UnsafeRawBufferPointer = rows.clustering
        if slices[sliceIndex].start.withUnsafeBytes({ ByteOrder.compare(clustering, $0) >= 0 }) {
            rowStage = .step
            return true
        }
        sliceIndex -= 1
        rowStage = .slice
        return false
    }
}
