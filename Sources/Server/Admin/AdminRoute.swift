package import Administration
package import DataModel

/// Something that operators can ask at one path.
package struct AdminRoute: Sendable {
    package enum Method: String, Sendable {
        /// For looking; HEAD comes with it.
        case get = "GET"
        /// For changing.
        case post = "POST"
    }

    package let method: Method
    package let path: String
    let answer: @Sendable (HTTPRequest) async throws(AdminFailure) -> AdminAnswer

    package init(
        _ method: Method, _ path: String,
        _ answer: @escaping @Sendable (HTTPRequest) async throws(AdminFailure) -> AdminAnswer
    ) {
        self.method = method
        self.path = path
        self.answer = answer
    }

    /// A path that answers with JSON.
    static func get(
        _ path: String, _ answer: @escaping @Sendable (HTTPRequest) async throws(AdminFailure) -> JSONValue
    ) -> AdminRoute {
        AdminRoute(.get, path) { (request) throws(AdminFailure) in .json(try await answer(request)) }
    }

    /// A path that changes something, and answers with nothing but that it is done.
    static func change(
        _ path: String, _ change: @escaping @Sendable (HTTPRequest) async throws(AdminFailure) -> Void
    ) -> AdminRoute {
        AdminRoute(.post, path) { (request) throws(AdminFailure) in
            try await change(request)
            return .json(.object([]))
        }
    }

    /// A path that changes something, and answers with what that has come to.
    static func post(
        _ path: String, _ answer: @escaping @Sendable (HTTPRequest) async throws(AdminFailure) -> JSONValue
    ) -> AdminRoute {
        AdminRoute(.post, path) { (request) throws(AdminFailure) in .json(try await answer(request)) }
    }

    /// A path that begins work which takes long. The answer is a line of JSON from time to time that says how far it is,
    /// and one that says how it has ended; with `wait=false` it is the first of them alone. The work goes on when the
    /// connection ends.
    static func work(
        _ path: String, _ begin: @escaping @Sendable (HTTPRequest) async throws(AdminFailure) -> Operation
    ) -> AdminRoute {
        AdminRoute(.post, path) { (request) throws(AdminFailure) in
            let operation: Operation = try await begin(request)
            if request.parameter("wait") == "false" { return .json(await operation.present().json) }
            return .operation(operation)
        }
    }
}

/// What an operator gets.
package enum AdminAnswer: Sendable {
    case json(JSONValue)
    case text([UInt8], contentType: String)
    /// Lines that tell how far the work is.
    case operation(Operation)
    /// Nothing that was asked for.
    case failure(status: Int, reason: String)
}
