import CQL
import Cluster
import Coordination
import Environment

/// What a node is told about the others.
extension NodeConfiguration {
    var messages: MessageSettings {
        var settings = MessageSettings()
        settings.compression = InternodeCompression(rawValue: text("internode_compression")) ?? .dc
        settings.connectTimeout = duration("internode_tcp_connect_timeout")
        return settings
    }

    var gossip: GossipLoop.Settings {
        var settings = GossipLoop.Settings()
        settings.phiThreshold = Double(integer("phi_convict_threshold"))
        return settings
    }

    var hints: HintOptions {
        let directory: String = text("hints_directory")
        var options = HintOptions(directory: directory.isEmpty ? dataDirectory + "/hints" : directory)
        options.durability = text("commitlog_sync") == "periodic" ? .written : .synced
        options.isEnabled = boolean("hinted_handoff_enabled")
        options.disabledDatacenters = text("hinted_handoff_disabled_datacenters").split(separator: ",").map {
            String($0.filter { $0 != " " })
        }
        options.window = duration("max_hint_window")
        options.maximumBytesPerTarget = byteCount("max_hints_size_per_host")
        options.fileByteCount = byteCount("max_hints_file_size")
        options.flushPeriod = duration("hints_flush_period")
        options.throttleBytesPerSecond = byteCount("hinted_handoff_throttle")
        return options
    }

    var continuousRepair: ContinuousRepair.Options {
        var options = ContinuousRepair.Options()
        options.isEnabled = boolean("continuous_repair")
        options.window = duration("continuous_repair_window")
        return options
    }

    var streams: StreamSettings {
        var settings = StreamSettings()
        settings.bytesPerSecond = rate("stream_throughput_outbound")
        settings.interDatacenterBytesPerSecond = rate("inter_dc_stream_throughput_outbound")
        return settings
    }

    var batchLog: BatchLog.Options {
        var options = BatchLog.Options()
        options.throttleBytesPerSecond = byteCount("batchlog_replay_throttle")
        return options
    }
}

/// From texts in the configuration to addresses.
enum NodeAddresses {
    static func resolve(_ text: String, _ port: Int, _ host: Host) async throws -> SocketAddress {
        let found = try await host.network.resolve(text, port: UInt16(clamping: port))
        guard let first = found.first(where: { $0.host.count == 4 }) ?? found.first else {
            throw ConfigurationError("The address \(text) is not known.")
        }
        return first
    }

    /// Where others reach what listens at `address`.
    ///
    /// - Parameter broadcast: what the configuration says of it; empty when it says nothing.
    static func reachable(
        _ address: SocketAddress, _ broadcast: String, setting: String, _ host: Host
    ) async throws -> SocketAddress {
        if !broadcast.isEmpty { return try await resolve(broadcast, Int(address.port), host) }
        guard address.host.contains(where: { $0 != 0 }) else {
            throw ConfigurationError(
                "The address \(address.hostText) stands for all addresses of the machine: \(setting) has to say at which "
                    + "of them others reach the node.")
        }
        return address
    }

    /// The addresses of the setting `seeds`: names or addresses with commas between, each with a port or without.
    static func seeds(_ text: String, standardPort: Int, _ host: Host) async throws -> [SocketAddress] {
        var seeds: [SocketAddress] = []
        for entry in text.split(separator: ",") {
            let trimmed: String = String(entry.filter { $0 != " " })
            if trimmed.isEmpty { continue }
            let (name, port): (String, Int) = try place(trimmed, standardPort)
            seeds.append(try await resolve(name, port, host))
        }
        return seeds
    }

    /// `name`, `name:port`, `[IPv6]:port`, or an IPv6 address alone.
    private static func place(_ text: String, _ standardPort: Int) throws(ConfigurationError) -> (String, Int) {
        let refusal = ConfigurationError("Invalid entry \"\(text)\" of setting seeds: host or host:port is wanted.")
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw refusal }
            let name = String(text[text.index(after: text.startIndex)..<end])
            let rest: Substring = text[text.index(after: end)...]
            if rest.isEmpty { return (name, standardPort) }
            guard rest.hasPrefix(":"), let port = UInt16(rest.dropFirst()) else { throw refusal }
            return (name, Int(port))
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count != 2 { return (text, standardPort) }
        guard let port = UInt16(parts[1]) else { throw refusal }
        return (String(parts[0]), Int(port))
    }

    static func endpoint(_ address: SocketAddress) -> InetEndpoint {
        InetEndpoint(address: InetAddress(bytes: address.host) ?? .loopback, port: Int32(address.port))
    }
}
