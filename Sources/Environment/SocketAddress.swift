/// An Internet address and a port.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// 4 bytes for IPv4, 16 for IPv6.
    public let host: [UInt8]
    public let port: UInt16

    public init(host: [UInt8], port: UInt16) {
        self.host = host
        self.port = port
    }

    public init(ipv4 a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8, port: UInt16) {
        self.init(host: [a, b, c, d], port: port)
    }

    public static func loopback(port: UInt16) -> SocketAddress {
        SocketAddress(ipv4: 127, 0, 0, 1, port: port)
    }

    /// The host alone: dotted decimal, or hexadecimal groups without any shortening.
    public var hostText: String {
        if host.count == 4 { return host.map { String($0) }.joined(separator: ".") }
        var groups: [String] = []
        for index in stride(from: 0, to: host.count - 1, by: 2) {
            groups.append(String(UInt16(host[index]) << 8 | UInt16(host[index + 1]), radix: 16))
        }
        return groups.joined(separator: ":")
    }

    public var description: String {
        host.count == 4 ? "\(hostText):\(port)" : "[\(hostText)]:\(port)"
    }
}
