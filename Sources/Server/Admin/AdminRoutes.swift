package import Administration
import DataModel

/// From requests to the admin port to what the node does, and back.
package struct AdminRoutes: Sendable {
    private let node: any NodeAdministration

    package init(_ node: any NodeAdministration) {
        self.node = node
    }

    /// Reading with GET, changing with POST; a path that is not known, or not with this method, changes nothing.
    package func answer(_ request: HTTPRequest) async -> HTTPResponse {
        // A browser says from which page a request comes; no page has business here, and could otherwise do what its
        // visitor may.
        if request.header("origin") != nil {
            return AdminRoutes.failure(403, "Requests from web pages are not answered.")
        }
        guard let methods = AdminRoutes.methods(of: request.path) else {
            return AdminRoutes.failure(404, "There is nothing at \(request.path).")
        }
        guard methods.contains(request.method) else {
            var response: HTTPResponse = AdminRoutes.failure(
                405, "\(request.path) is for \(methods.joined(separator: " and ")).")
            response.allowed = methods
            return response
        }
        do throws(AdminFailure) {
            return try await request.method == "POST" ? change(request) : read(request)
        } catch {
            switch error {
            case .invalid(let reason): return AdminRoutes.failure(400, reason)
            case .unavailable(let reason): return AdminRoutes.failure(503, reason)
            }
        }
    }

    /// Everything that there is, for the documentation too.
    package static let reading: [String] = [
        "/cluster", "/endpoints", "/failuredetector", "/gossipinfo", "/health", "/hints", "/hints/pending", "/info",
        "/netstats", "/ready", "/ring", "/status", "/version",
    ]
    package static let changing: [String] = ["/hints/disable", "/hints/enable", "/hints/truncate"]

    private static func methods(of path: String) -> [String]? {
        if reading.contains(path) { return ["GET", "HEAD"] }
        return changing.contains(path) ? ["POST"] : nil
    }

    private func read(_ request: HTTPRequest) async throws(AdminFailure) -> HTTPResponse {
        switch request.path {
        // The process lives when it answers at all.
        case "/health": return AdminRoutes.success(.record(["alive": .boolean(true)]))
        case "/ready":
            let readiness: Readiness = await node.readiness()
            if readiness.isReady { return AdminRoutes.success(readiness.json) }
            throw .unavailable(readiness.reason ?? "The node is not ready.")
        case "/version": return AdminRoutes.success(await node.version().json)
        case "/info": return AdminRoutes.success(try await node.node().json)
        case "/status", "/ring":
            let report: RingReport = try await node.ring(
                keyspace: request.parameter("keyspace"), includesTokens: request.path == "/ring")
            return AdminRoutes.success(report.json)
        case "/cluster": return AdminRoutes.success(try await node.cluster().json)
        case "/gossipinfo": return AdminRoutes.success(try await node.gossip().json)
        case "/failuredetector": return AdminRoutes.success(try await node.failureDetector().json)
        case "/netstats": return AdminRoutes.success(try await node.network().json)
        case "/endpoints": return AdminRoutes.success(try await replicas(request).json)
        case "/hints": return AdminRoutes.success(try await node.handoff().json)
        default: return AdminRoutes.success(try await node.pendingHints().json)
        }
    }

    private func change(_ request: HTTPRequest) async throws(AdminFailure) -> HTTPResponse {
        switch request.path {
        case "/hints/truncate": try await node.truncateHints(of: request.parameter("node"))
        default: try await node.setHandoff(enabled: request.path == "/hints/enable")
        }
        return AdminRoutes.success(.object([]))
    }

    private func replicas(_ request: HTTPRequest) async throws(AdminFailure) -> ReplicasReport {
        guard let keyspace = request.parameter("keyspace"), let table = request.parameter("table"),
            let key = request.parameter("key")
        else { throw .invalid("The parameters keyspace, table and key are needed.") }
        return try await node.replicas(keyspace: keyspace, table: table, key: key)
    }

    private static func success(_ json: JSONValue) -> HTTPResponse { response(200, json) }

    private static func response(_ status: Int, _ json: JSONValue) -> HTTPResponse {
        HTTPResponse(status: status, body: Array((json.compactText + "\n").utf8))
    }

    static func failure(_ status: Int, _ reason: String) -> HTTPResponse {
        response(status, FailureReport(reason: reason).json)
    }
}
