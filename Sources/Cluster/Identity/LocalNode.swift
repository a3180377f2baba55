package import DataModel
package import Environment
package import Primitives

/// Who this node is: given once, kept for its life.
package struct LocalNode: Hashable, Sendable {
    package var hostID: UUID
    package var clusterName: String
    package var dataCenter: String
    package var rack: String
    /// In ascending order.
    package var tokens: [Token]
    /// Microseconds since 1970.
    package var firstStartedAtMicroseconds: Int64
    /// Larger with every start, so that other nodes tell news of this life from news of the last one.
    package var generation: Int32

    /// What the configuration says, which must agree with what was kept.
    package struct Settings: Hashable, Sendable {
        package var clusterName: String
        package var dataCenter: String
        package var rack: String
        package var tokenCount: Int

        package init(clusterName: String, dataCenter: String, rack: String, tokenCount: Int = 16) {
            self.clusterName = clusterName
            self.dataCenter = dataCenter
            self.rack = rack
            self.tokenCount = tokenCount
        }
    }

    /// The most tokens that a node may have.
    package static let maximumTokenCount = 1536

    /// A new node.
    package init(_ settings: Settings, nowMicroseconds: Int64, entropy: any Entropy) {
        self.hostID = .version4(high: entropy.next(), low: entropy.next())
        self.clusterName = settings.clusterName
        self.dataCenter = settings.dataCenter
        self.rack = settings.rack
        self.tokens = LocalNode.evenTokens(settings.tokenCount, offset: entropy.next())
        self.firstStartedAtMicroseconds = nowMicroseconds
        self.generation = Int32(clamping: nowMicroseconds / 1_000_000)
    }

    /// `count` tokens that cut the ring into equal parts, the first of them anywhere.
    package static func evenTokens(_ count: Int, offset: UInt64) -> [Token] {
        require(count > 0 && count <= maximumTokenCount, "a node has a bounded number of tokens")
        let tokens: [Token] = (0..<count).map { index in
            let distance: UInt64 =
                index == 0 ? 0 : UInt64(count).dividingFullWidth((UInt64(index), 0)).quotient
            let token = Token(ordinal: offset &+ distance)
            // The smallest token means "before everything" and is nobody's.
            return token == .minimum ? Token(ordinal: 1) : token
        }
        return tokens.sorted()
    }

    /// The same node at its next start.
    ///
    /// - Throws: when the configuration is of another cluster, or would move the node without moving its data.
    package func restarted(with settings: Settings, nowMicroseconds: Int64) throws(MetadataError) -> LocalNode {
        guard clusterName == settings.clusterName else {
            throw .clusterNameChanged(saved: clusterName, configured: settings.clusterName)
        }
        guard dataCenter == settings.dataCenter else {
            throw .dataCenterChanged(saved: dataCenter, configured: settings.dataCenter)
        }
        guard rack == settings.rack else { throw .rackChanged(saved: rack, configured: settings.rack) }
        guard tokens.count == settings.tokenCount else {
            throw .tokenCountChanged(saved: tokens.count, configured: settings.tokenCount)
        }
        var node: LocalNode = self
        node.generation = max(Int32(clamping: nowMicroseconds / 1_000_000), generation &+ 1)
        return node
    }
}

/// The file that holds a node's identity.
package struct LocalNodeFile: Sendable {
    private static let fileName = "node"
    /// `MLND`.
    private static let magic: UInt32 = 0x4D4C_4E44
    private static let version: UInt8 = 1

    private let record: DurableRecord

    package init(disk: any Disk, directory: String) {
        self.record = DurableRecord(
            disk: disk, directory: directory, name: LocalNodeFile.fileName, magic: LocalNodeFile.magic)
    }

    /// Reads who the node is, or makes it up at the first start, and keeps the new generation before returning.
    package func start(
        _ settings: LocalNode.Settings, time: any TimeSource, entropy: any Entropy
    ) async throws(MetadataError) -> LocalNode {
        let now: Int64 = time.wallMicroseconds
        let node: LocalNode
        if let saved = try await load() {
            node = try saved.restarted(with: settings, nowMicroseconds: now)
        } else {
            node = LocalNode(settings, nowMicroseconds: now, entropy: entropy)
        }
        try await record.store(LocalNodeFile.encode(node))
        return node
    }

    /// The node as it was kept; nil before the first start.
    package func load() async throws(MetadataError) -> LocalNode? {
        guard let payload = try await record.load() else { return nil }
        do throws(DecodingError) {
            return try LocalNodeFile.decode(payload)
        } catch {
            throw .damaged(path: record.path, reason: "\(error)")
        }
    }

    private static func encode(_ node: LocalNode) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(version)
        writer.write(node.hostID.bytes)
        for text in [node.clusterName, node.dataCenter, node.rack] {
            writer.writeLength(text.utf8.count)
            writer.writeUTF8(text)
        }
        writer.write(node.firstStartedAtMicroseconds)
        writer.write(node.generation)
        writer.writeLength(node.tokens.count)
        for token in node.tokens { writer.write(token.value) }
        return writer.array()
    }

    private static func decode(_ bytes: [UInt8]) throws(DecodingError) -> LocalNode {
        var reader = ByteReader(bytes.span.bytes)
        guard try reader.readUInt8() == version else { throw .invalid(offset: 0, what: "its version is unknown") }
        let high = try reader.readUInt64()
        let low = try reader.readUInt64()
        var texts: [String] = []
        for _ in 0..<3 {
            let byteCount = try reader.readLength()
            let run = try reader.readArray(byteCount)
            guard let text = String(validating: run, as: UTF8.self) else {
                throw .invalid(offset: reader.offset, what: "a name is not UTF-8")
            }
            texts.append(text)
        }
        let firstStart = try reader.readInt64()
        let generation = try reader.readInt32()
        let count = try reader.readLength()
        guard count > 0, count <= LocalNode.maximumTokenCount else {
            throw .invalid(offset: reader.offset, what: "its number of tokens is out of range")
        }
        var tokens: [Token] = []
        for _ in 0..<count { tokens.append(Token(try reader.readInt64())) }
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes follow its end") }
        return LocalNode(
            hostID: UUID(high: high, low: low), names: texts, tokens: tokens, firstStart: firstStart,
            generation: generation)
    }
}

extension LocalNode {
    /// - Parameter names: of the cluster, the data centre and the rack.
    fileprivate init(hostID: UUID, names: [String], tokens: [Token], firstStart: Int64, generation: Int32) {
        self.hostID = hostID
        self.clusterName = names[0]
        self.dataCenter = names[1]
        self.rack = names[2]
        self.tokens = tokens
        self.firstStartedAtMicroseconds = firstStart
        self.generation = generation
    }
}
