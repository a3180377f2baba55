import DataModel

/// An IPv4 or IPv6 address as the protocol carries it.
public struct InetAddress: Hashable, Sendable, CustomStringConvertible {
    /// Four or sixteen bytes, most significant first.
    public let bytes: [UInt8]

    /// Nil unless there are four or sixteen bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    private init(four bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Reads dotted or colon notation; nil for anything else.
    public init?(text: String) {
        guard let bytes = InternetAddressText.bytes(text) else { return nil }
        self.init(bytes: bytes)
    }

    public static let anyIPv4 = InetAddress(four: [0, 0, 0, 0])
    public static let loopback = InetAddress(four: [127, 0, 0, 1])

    public var isIPv4: Bool { bytes.count == 4 }

    /// Dotted decimal, or eight groups of hexadecimal digits, as Java writes them.
    public var description: String { InternetAddressText.text(bytes) }
}

/// An address and the port of the native protocol behind it.
public struct InetEndpoint: Hashable, Sendable, CustomStringConvertible {
    public var address: InetAddress
    public var port: Int32

    public init(address: InetAddress, port: Int32) {
        self.address = address
        self.port = port
    }

    public var description: String {
        address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }
}
