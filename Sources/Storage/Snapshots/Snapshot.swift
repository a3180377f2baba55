import DataModel
package import Primitives

/// A copy of one table's files, by hard links.
package struct Snapshot: Sendable, Hashable {
    package var name: String
    package var keyspace: String
    package var table: String
    package var tableID: UUID
    package var createdMilliseconds: Int64
    /// When it is removed by itself; nil for never.
    package var expiresMilliseconds: Int64?
    /// Bytes of all its files.
    package var byteCount: Int
    /// Bytes of the files that are there for the snapshot's sake alone.
    package var ownByteCount: Int
    /// Where it is.
    package var folder: String

    /// The name of a table's folder within a snapshot.
    static func folderName(_ table: TableDefinition) -> String { "\(table.keyspace).\(table.name)-\(table.id)" }

    /// The parts of such a name; nil for other names.
    static func parts(of name: String) -> (keyspace: String, table: String, id: UUID)? {
        guard name.utf8.count > 38, let id = UUID(text: String(name.suffix(36))), let dot = name.firstIndex(of: ".")
        else { return nil }
        let rest: Substring = name[name.index(after: dot)...].dropLast(37)
        return (String(name[..<dot]), String(rest), id)
    }

    /// Whether a name can be that of a folder below the snapshots' folder, and of nothing else.
    package static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 200 && name != "." && name != ".."
            && name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x2F && $0 != 0x7F }
    }
}

/// What `manifest.json` of a snapshot says: the names of its files, when it was made, and when it goes.
struct SnapshotManifest: Equatable {
    var files: [String]
    var createdMilliseconds: Int64
    var expiresMilliseconds: Int64?

    static let name = "manifest.json"
    static let schemaName = "schema.cql"

    var text: String {
        func time(_ milliseconds: Int64) -> String { "\"\(TimestampText.text(milliseconds))\"" }
        var text = "{\n  \"created_at\": \(time(createdMilliseconds)),\n"
        text += "  \"created_at_ms\": \(createdMilliseconds),\n"
        if let expiresMilliseconds {
            text += "  \"expires_at\": \(time(expiresMilliseconds)),\n  \"expires_at_ms\": \(expiresMilliseconds),\n"
        }
        let names: [String] = files.map { "    \"\($0)\"" }
        text += "  \"ephemeral\": false,\n  \"files\": [\n" + names.joined(separator: ",\n") + "\n  ]\n}\n"
        return text
    }

    init(files: [String], createdMilliseconds: Int64, expiresMilliseconds: Int64?) {
        self.files = files
        self.createdMilliseconds = createdMilliseconds
        self.expiresMilliseconds = expiresMilliseconds
    }

    /// Nil for a text that is no manifest.
    init?(_ text: String) {
        guard let json = try? JSONValue(parsing: text), case .object(let members) = json else { return nil }
        func number(_ name: String) -> Int64? {
            guard case .number(let digits)? = members.first(where: { $0.name == name })?.value else { return nil }
            return Int64(digits)
        }
        guard let created = number("created_at_ms"),
            case .array(let names)? = members.first(where: { $0.name == "files" })?.value
        else { return nil }
        files = names.compactMap { if case .string(let name) = $0 { name } else { nil } }
        createdMilliseconds = created
        expiresMilliseconds = number("expires_at_ms")
    }
}
