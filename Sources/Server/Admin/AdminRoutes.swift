package import Administration
import DataModel

/// From requests to the admin port to what the node does, and back.
package struct AdminRoutes: Sendable {
    /// By path; one for each method that it is for.
    private let routes: [String: [AdminRoute]]
    /// Who may ask; everybody who can connect when nil.
    private let access: AdminAccess?

    package init(_ node: any NodeAdministration, access: AdminAccess? = nil) {
        var routes: [String: [AdminRoute]] = [:]
        for route in AdminRoutes.standard(node) + node.routes { routes[route.path, default: []].append(route) }
        self.routes = routes
        self.access = access
    }

    /// Reading with GET, changing with POST; a path that is not known, or not with this method, changes nothing.
    package func answer(_ request: HTTPRequest) async -> AdminAnswer {
        // A browser says from which page a request comes; no page has business here, and could otherwise do what its
        // visitor may.
        if request.header("origin") != nil {
            return .failure(status: 403, reason: "Requests from web pages are not answered.")
        }
        if let access, request.path != "/health", !access.admits(request) {
            return .failure(status: 401, reason: "A name and a password are needed.")
        }
        guard let known = routes[request.path] else {
            return .failure(status: 404, reason: "There is nothing at \(request.path).")
        }
        guard let route = known.first(where: { AdminRoutes.methods(of: $0).contains(request.method) }) else {
            let methods: String = known.flatMap(AdminRoutes.methods).joined(separator: " and ")
            return .failure(status: 405, reason: "\(request.path) is for \(methods).")
        }
        do throws(AdminFailure) {
            return try await route.answer(request)
        } catch {
            switch error {
            case .invalid(let reason): return .failure(status: 400, reason: reason)
            case .unavailable(let reason): return .failure(status: 503, reason: reason)
            }
        }
    }

    /// The answer as a message; nil for one that comes line by line.
    package func response(_ answer: AdminAnswer, to request: HTTPRequest) -> HTTPResponse? {
        switch answer {
        case .json(let json): return HTTPResponse(status: 200, body: Array((json.compactText + "\n").utf8))
        case .text(let bytes, let type): return HTTPResponse(status: 200, contentType: type, body: bytes)
        case .operation: return nil
        case .failure(let status, let reason):
            var response: HTTPResponse = AdminRoutes.failure(status, reason)
            if status == 405 { response.allowed = (routes[request.path] ?? []).flatMap(AdminRoutes.methods) }
            response.asksForPassword = status == 401
            return response
        }
    }

    /// The paths for looking and those for changing, ascending.
    package var reading: [String] { all.filter { $0.method == .get }.map(\.path).sorted() }
    package var changing: [String] { all.filter { $0.method == .post }.map(\.path).sorted() }

    private var all: [AdminRoute] { routes.values.flatMap { $0 } }

    private static func methods(of route: AdminRoute) -> [String] {
        route.method == .get ? ["GET", "HEAD"] : ["POST"]
    }

    static func failure(_ status: Int, _ reason: String) -> HTTPResponse {
        HTTPResponse(status: status, body: Array((FailureReport(reason: reason).json.compactText + "\n").utf8))
    }

    /// The paths for what every node can tell.
    private static func standard(_ node: any NodeAdministration) -> [AdminRoute] {
        [
            // The process lives when it answers at all.
            .get("/health") { _ throws(AdminFailure) in .record(["alive": .boolean(true)]) },
            .get("/ready") { (_) throws(AdminFailure) in
                let readiness: Readiness = await node.readiness()
                if readiness.isReady { return readiness.json }
                throw .unavailable(readiness.reason ?? "The node is not ready.")
            },
            .get("/version") { (_) throws(AdminFailure) in await node.version().json },
            .get("/info") { (_) throws(AdminFailure) in try await node.node().json },
            .get("/status") { (request) throws(AdminFailure) in
                try await node.ring(keyspace: request.parameter("keyspace"), includesTokens: false).json
            },
            .get("/ring") { (request) throws(AdminFailure) in
                try await node.ring(keyspace: request.parameter("keyspace"), includesTokens: true).json
            },
            .get("/cluster") { (_) throws(AdminFailure) in try await node.cluster().json },
            .get("/gossipinfo") { (_) throws(AdminFailure) in try await node.gossip().json },
            .get("/failuredetector") { (_) throws(AdminFailure) in try await node.failureDetector().json },
            .get("/netstats") { (_) throws(AdminFailure) in try await node.network().json },
            .get("/endpoints") { (request) throws(AdminFailure) in
                guard let keyspace = request.parameter("keyspace"), let table = request.parameter("table"),
                    let key = request.parameter("key")
                else { throw .invalid("The parameters keyspace, table and key are needed.") }
                return try await node.replicas(keyspace: keyspace, table: table, key: key).json
            },
            .get("/hints") { (_) throws(AdminFailure) in try await node.handoff().json },
            .get("/hints/pending") { (_) throws(AdminFailure) in try await node.pendingHints().json },
            .change("/hints/enable") { (_) throws(AdminFailure) in try await node.setHandoff(enabled: true) },
            .change("/hints/disable") { (_) throws(AdminFailure) in try await node.setHandoff(enabled: false) },
            .change("/hints/truncate") { (request) throws(AdminFailure) in
                try await node.truncateHints(of: request.parameter("node"))
            },
        ]
    }
}
