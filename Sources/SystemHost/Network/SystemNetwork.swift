import Environment
import Glibc
import NIOCore
import NIOPosix
import Primitives

/// Streams over TCP sockets, each on the event loop of its owner.
struct SystemNetwork: Network {
    private let group: MultiThreadedEventLoopGroup
    private let loops: [SystemLoop]
    private let threads: BlockingThreads
    private let securing: (any ChannelSecuring)?

    init(
        group: MultiThreadedEventLoopGroup, loops: [SystemLoop], threads: BlockingThreads,
        securing: (any ChannelSecuring)?
    ) {
        self.group = group
        self.loops = loops
        self.threads = threads
        self.securing = securing
    }

    func listen(
        at address: Environment.SocketAddress, on wanted: [any Loop], security: (any TransportSecurity)?,
        makeHandler: @escaping @Sendable (any Loop) -> any ConnectionHandler
    ) async throws(NetworkError) -> any Listener {
        let chosen: [SystemLoop] = wanted.compactMap { $0 as? SystemLoop }
        guard let first = chosen.first, chosen.count == wanted.count else { throw .closed }
        let security: (any ChannelSecurity)? = try channelSecurity(security)
        if chosen.count == 1 || chosen.count == loops.count {
            let children: any EventLoopGroup = chosen.count == 1 ? first.eventLoop : group
            let place = ListeningPlace(loop: first, children: children, isShared: false, security: security)
            let channel = try await bind(address, place, makeHandler)
            return try SystemListener(channels: [channel])
        }
        // NIO spreads over one loop or over all of them. For some of them each gets a socket of its own, and the system
        // spreads.
        var channels: [any Channel] = []
        var bound: Environment.SocketAddress = address
        for loop in chosen {
            do throws(NetworkError) {
                let place = ListeningPlace(loop: loop, children: loop.eventLoop, isShared: true, security: security)
                channels.append(try await bind(bound, place, makeHandler))
            } catch {
                for channel in channels { channel.close(promise: nil) }
                throw error
            }
            if let port = channels.first?.localAddress?.port {
                bound = SocketAddress(host: address.host, port: UInt16(truncatingIfNeeded: port))
            }
        }
        return try SystemListener(channels: channels)
    }

    /// One socket that accepts connections.
    private struct ListeningPlace {
        let loop: SystemLoop
        let children: any EventLoopGroup
        /// Whether there are others at the same port.
        let isShared: Bool
        let security: (any ChannelSecurity)?
    }

    private func bind(
        _ address: Environment.SocketAddress, _ place: ListeningPlace,
        _ makeHandler: @escaping @Sendable (any Loop) -> any ConnectionHandler
    ) async throws(NetworkError) -> any Channel {
        let loops: [SystemLoop] = self.loops
        let security: (any ChannelSecurity)? = place.security
        let target: NIOCore.SocketAddress = try native(address)
        do {
            return try await ServerBootstrap(group: place.loop.eventLoop, childGroup: place.children)
                .serverChannelOption(.backlog, value: 1_024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelOption(
                    .socket(SocketOptionLevel(SOL_SOCKET), SO_REUSEPORT), value: place.isShared ? 1 : 0
                )
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelOption(.recvAllocator, value: SystemConnection.receiveAllocator)
                .childChannelInitializer { channel in
                    guard let owner = loops.first(where: { $0.eventLoop === channel.eventLoop }) else {
                        return channel.eventLoop.makeFailedFuture(ChannelError.inappropriateOperationForState)
                    }
                    return channel.eventLoop.makeCompletedFuture {
                        let connection = SystemConnection(loop: owner) { makeHandler(owner) }
                        if let security {
                            connection.awaitSecurity(nil)
                            try security.secure(channel, within: nil)
                        }
                        try channel.pipeline.syncOperations.addHandler(connection)
                    }
                }
                .bind(to: target).get()
        } catch {
            throw NetworkError(error, address)
        }
    }

    func connect(
        to address: Environment.SocketAddress, on loop: any Loop, security: (any TransportSecurity)?, timeout: Duration,
        makeHandler: @escaping @Sendable () -> any ConnectionHandler
    ) async throws(NetworkError) -> any Connection {
        guard let loop = loop as? SystemLoop else { throw .closed }
        let target: NIOCore.SocketAddress = try native(address)
        let security: (any ChannelSecurity)? = try channelSecurity(security)
        let connection = SystemConnection(loop: loop, makeHandler: makeHandler)
        let ready: EventLoopPromise<Void>? = security.map { _ in loop.eventLoop.makePromise() }
        do {
            _ = try await ClientBootstrap(group: loop.eventLoop)
                .connectTimeout(.nanoseconds(timeout.wholeNanoseconds))
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.recvAllocator, value: SystemConnection.receiveAllocator)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let security {
                            connection.awaitSecurity(ready)
                            try security.secure(channel, within: timeout)
                        }
                        try channel.pipeline.syncOperations.addHandler(connection)
                    }
                }
                .connect(to: target).get()
            if let ready { try await ready.futureResult.get() }
        } catch {
            ready?.fail(error)
            throw NetworkError(error, address)
        }
        return connection
    }

    // MARK: Protection

    func prepare(_ security: ServerSecurity) async throws(NetworkError) -> any TransportSecurity {
        guard let securing else { throw .insecure(.unavailable) }
        return try await prepared { () throws(SecurityFault) in
            try securing.make(security, atSeconds: SystemTime().wallMicroseconds / 1_000_000)
        }
    }

    func prepare(_ security: ClientSecurity) async throws(NetworkError) -> any TransportSecurity {
        guard let securing else { throw .insecure(.unavailable) }
        return try await prepared { () throws(SecurityFault) in
            try securing.make(security, atSeconds: SystemTime().wallMicroseconds / 1_000_000)
        }
    }

    /// Not on a loop: the certificates that the machine trusts are files.
    private func prepared(
        _ make: @escaping @Sendable () throws(SecurityFault) -> any ChannelSecurity
    ) async throws(NetworkError) -> any TransportSecurity {
        do throws(SecurityFault) {
            return try await threads.run(make)
        } catch {
            throw .insecure(error)
        }
    }

    private func channelSecurity(
        _ security: (any TransportSecurity)?
    ) throws(NetworkError) -> (any ChannelSecurity)? {
        guard let security else { return nil }
        guard let known = security as? any ChannelSecurity else { throw .insecure(.unavailable) }
        return known
    }

    func resolve(_ host: String, port: UInt16) async throws(NetworkError) -> [Environment.SocketAddress] {
        try await threads.run { () throws(NetworkError) in
            var hints = addrinfo()
            hints.ai_family = AF_UNSPEC
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            var results: UnsafeMutablePointer<addrinfo>?
            guard getaddrinfo(host, nil, &hints, &results) == 0 else { throw .unknownHost(host) }
            defer { freeaddrinfo(results) }
            var found: [Environment.SocketAddress] = []
            var next: UnsafeMutablePointer<addrinfo>? = results
            while let result = next {
                next = result.pointee.ai_next
                guard let bytes = hostBytes(result.pointee.ai_addr, Int(result.pointee.ai_addrlen)) else { continue }
                let address = SocketAddress(host: bytes, port: port)
                if !found.contains(address) { found.append(address) }
            }
            if found.isEmpty { throw .unknownHost(host) }
            return found
        }
    }
}

/// Sockets that accept connections.
final class SystemListener: Listener {
    let address: Environment.SocketAddress
    private let channels: [any Channel]

    init(channels: [any Channel]) throws(NetworkError) {
        guard let bound = channels.first?.localAddress, let address = Environment.SocketAddress(native: bound) else {
            for channel in channels { channel.close(promise: nil) }
            throw .closed
        }
        self.address = address
        self.channels = channels
    }

    func close() async {
        for channel in channels {
            // The only error is that it was closed before, which is what is wanted.
            try? await channel.close().get()
        }
    }
}

/// The bytes of the address in a `sockaddr`; nil for what is not an Internet address.
private func hostBytes(_ address: UnsafePointer<sockaddr>?, _ byteCount: Int) -> [UInt8]? {
    guard let address else { return nil }
    let bytes = UnsafeRawBufferPointer(start: address, count: byteCount)
    switch Int32(address.pointee.sa_family) {
    case AF_INET where byteCount >= 8: return [UInt8](bytes[4..<8])
    case AF_INET6 where byteCount >= 24: return [UInt8](bytes[8..<24])
    default: return nil
    }
}

/// The address in NIO's form.
private func native(_ address: Environment.SocketAddress) throws(NetworkError) -> NIOCore.SocketAddress {
    do {
        return try NIOCore.SocketAddress(packedIPAddress: ByteBuffer(bytes: address.host), port: Int(address.port))
    } catch {
        throw .failed(code: EINVAL, reason: "\(address.host.count) bytes are not an Internet address")
    }
}

extension Environment.SocketAddress {
    /// An address from NIO; nil for one that is not of the Internet.
    init?(native: NIOCore.SocketAddress) {
        let port = UInt16(truncatingIfNeeded: native.port ?? 0)
        let bytes: [UInt8]? = native.withSockAddr { address, byteCount in hostBytes(address, byteCount) }
        guard let bytes else { return nil }
        // A socket for both families shows IPv4 peers as ::ffff:a.b.c.d.
        let isMapped: Bool =
            bytes.count == 16 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 255 && bytes[11] == 255
        self.init(host: isMapped ? [UInt8](bytes[12...]) : bytes, port: port)
    }
}

extension NetworkError {
    /// What an error of NIO means for an address.
    init(_ error: any Error, _ address: Environment.SocketAddress) {
        switch error {
        case let error as NetworkError:
            self = error
        case let error as NIOConnectionError:
            guard let first = error.connectionErrors.first else {
                self = .unknownHost(error.host)
                return
            }
            self.init(first.error, address)
        case ChannelError.connectTimeout:
            self = .timedOut(address)
        case let error as IOError:
            switch error.errnoCode {
            case ECONNREFUSED: self = .refused(address)
            case ETIMEDOUT: self = .timedOut(address)
            case EADDRINUSE: self = .addressInUse(address)
            default: self = .failed(code: error.errnoCode, reason: systemReason(error.errnoCode))
            }
        case is ChannelError, is EventLoopError:
            self = .closed
        default:
            self = .failed(code: 0, reason: String(describing: error))
        }
    }
}
