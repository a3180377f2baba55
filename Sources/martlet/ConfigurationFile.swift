import Server
import SystemHost
import Yams

/// Reads a configuration file into a node's settings.
enum ConfigurationFile {
    static func read(_ path: String, into configuration: inout NodeConfiguration) throws {
        guard let bytes = try? SmallFiles.read(path) else {
            throw ConfigurationError("The configuration file \(path) cannot be read.")
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: String(decoding: bytes, as: UTF8.self))
        } catch { throw ConfigurationError("The configuration file \(path) is not valid YAML: \(error)") }
        guard let root else { return }
        guard let mapping = root.mapping else {
            throw ConfigurationError("The configuration file \(path) is not a list of keys and values.")
        }
        try take(mapping, prefix: "", into: &configuration)
    }

    /// Keys below a key have both names, with a dot between.
    private static func take(
        _ mapping: Node.Mapping, prefix: String, into configuration: inout NodeConfiguration
    ) throws {
        for (key, value) in mapping {
            guard let name = key.string.map({ prefix + $0 }) else { continue }
            if let inner = value.mapping {
                guard prefix.isEmpty else { throw ConfigurationError("The setting \(name) has keys below it.") }
                try take(inner, prefix: name + ".", into: &configuration)
                continue
            }
            // A key without a value keeps its default; lists, as cassandra.yaml has for folders, give their first entry.
            guard let text = value.string ?? value.sequence?.first?.string else { continue }
            if text.isEmpty { continue }
            try configuration.set(name, text)
        }
    }

    private typealias Node = Yams.Node
}
