import Administration
import Cluster
import Coordination
import DataModel
import Environment
import Logging
import Primitives
import Query
import Storage

/// Settings that are looked at and changed while the node runs.
extension LiveAdministration {
    var settingRoutes: [AdminRoute] {
        [
            .get("/settings") { (request) throws(AdminFailure) in
                let names: [String] = request.parameters("name")
                for name in names where Settings.named(name) == nil {
                    throw .invalid("There is no setting \(name). Did you mean \(Settings.nearest(to: name))?")
                }
                let chosen: [Setting] = Settings.all.filter { names.isEmpty || names.contains($0.name) }
                return .record(["settings": .array(chosen.map { self.json($0) })])
            },
            .post("/settings") { (request) throws(AdminFailure) in
                guard let name = request.parameter("name"), let value = request.parameters("value").last else {
                    throw .invalid("The parameters name and value are needed.")
                }
                return try await self.change(name, value)
            },
            .get("/logging") { (_) throws(AdminFailure) in
                let levels: LogLevels = self.logs.levels
                var members: [JSONValue.Member] = [
                    JSONValue.Member(name: "root", value: .string(levels.usual.rawValue))
                ]
                for part in LogLevels.parts {
                    members.append(JSONValue.Member(name: part, value: .string(levels.level(of: part).rawValue)))
                }
                return .record(["levels": .object(members)])
            },
            .change("/logging") { (request) throws(AdminFailure) in try self.setLogLevel(request) },
            .get("/datapaths") { (_) throws(AdminFailure) in self.dataPaths() },
            .get("/seeds") { (_) throws(AdminFailure) in
                let seeds: [String] = self.settings.text("seeds").split(separator: ",").map {
                    String($0.filter { $0 != " " })
                }
                return .record(["seeds": .texts(seeds)])
            },
            .get("/traceprobability") { (_) throws(AdminFailure) in
                .record(["trace_probability": .decimal(try self.current().parts.group.traceProbability)])
            },
            .change("/traceprobability") { (request) throws(AdminFailure) in
                guard let text = request.parameter("value"), let value = Double(text), value >= 0, value <= 1 else {
                    throw .invalid("Trace probability must be between 0 and 1.")
                }
                let group: ShardGroup = try self.current().parts.group
                group.traceProbability = value
            },
        ]
    }

    private func json(_ setting: Setting) -> JSONValue {
        .record([
            "name": .string(setting.name), "value": .string(settings.text(setting.name)),
            "default": .string(setting.standard), "meaning": .string(setting.meaning),
            "changeable": .boolean(LiveSettings.effects[setting.name] != nil),
        ])
    }

    private func change(_ name: String, _ value: String) async throws(AdminFailure) -> JSONValue {
        guard let setting = Settings.named(name) else {
            throw .invalid("There is no setting \(name). Did you mean \(Settings.nearest(to: name))?")
        }
        guard let effect = LiveSettings.effects[name] else {
            throw .invalid("The setting \(name) is read at the start: change it in the file and restart the node.")
        }
        let parts: Node.Parts = try current().parts
        var next: NodeConfiguration = settings.now
        do throws(ConfigurationError) {
            try next.set(name, value)
        } catch {
            throw .invalid(error.description)
        }
        let before: String = settings.text(name)
        let changed: NodeConfiguration = next
        try await carryOut { try await effect(changed, parts) }
        settings.take(changed)
        parts.log.notice(
            "A setting was changed", metadata: ["setting": "\(name)", "value": "\(value)", "before": "\(before)"])
        return json(setting)
    }

    private func setLogLevel(_ request: HTTPRequest) throws(AdminFailure) {
        guard let level = request.parameter("level") else { return logs.resetLevels() }
        guard let known = LogLevels.level(ofWord: level) else {
            throw .invalid(
                "There is no level \(level): one of \(LogLevels.names.joined(separator: ", ")) is wanted.")
        }
        let part: String = request.parameter("part") ?? "root"
        if part == "root" || part == "ROOT" { return logs.setLevel(known, of: nil) }
        guard LogLevels.parts.contains(part) else {
            throw .invalid(
                "There is no part \(part): one of root, \(LogLevels.parts.joined(separator: ", ")) is wanted.")
        }
        logs.setLevel(known, of: part)
    }

    private func dataPaths() -> JSONValue {
        let configuration: NodeConfiguration = settings.now
        return .record([
            "data": .string(configuration.dataDirectory),
            "commitlog": .string(configuration.storage.commitLogDirectory),
            "hints": .string(configuration.hints.directory),
            "snapshots": .string(configuration.dataDirectory + "/snapshots"),
        ])
    }
}
