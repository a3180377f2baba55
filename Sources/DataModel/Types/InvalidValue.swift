/// Why bytes or text are not a value of a type, in the words that Cassandra gives to a client.
public struct InvalidValue: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String

    public init(_ message: String) {
        self.message = message
    }

    public var description: String { message }
}
