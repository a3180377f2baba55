import Environment
import NIOCore
import NIOSSL
import Primitives
import Synchronization
import SystemHost

/// Keys and certificates in BoringSSL's form, for any number of channels.
///
///     socket ── (FirstByte) ── NIOSSLHandler ── HandshakeWatch ── SystemConnection
final class TLSSecurity: ChannelSecurity {
    enum Side: Sendable {
        /// Whether streams that do not begin with a handshake are plain.
        case server(acceptsPlain: Bool)
        case client(hostName: String?)
    }

    private struct Contents {
        var context: NIOSSLContext
        var endSeconds: Int64?
    }

    private let contents: Mutex<Contents>
    private let side: Side
    private let handshakeLimit: Duration

    init(_ context: NIOSSLContext, side: Side, handshakeLimit: Duration, endSeconds: Int64?) {
        self.contents = Mutex(Contents(context: context, endSeconds: endSeconds))
        self.side = side
        self.handshakeLimit = handshakeLimit
    }

    var endSeconds: Int64? { contents.withLock { $0.endSeconds } }

    func replace(with other: any TransportSecurity) {
        guard let other = other as? TLSSecurity else { return }
        let newer: Contents = other.contents.withLock { $0 }
        contents.withLock { $0 = newer }
    }

    func secure(_ channel: any Channel, within timeout: Duration?) throws {
        let pipeline: ChannelPipeline.SynchronousOperations = channel.pipeline.syncOperations
        let context: NIOSSLContext = contents.withLock { $0.context }
        let limit: Duration = min(handshakeLimit, timeout ?? handshakeLimit)
        switch side {
        case .client(let hostName):
            // An address is compared with those in the certificate, a name is told to the other side too.
            let isAddress: Bool = hostName.map { (try? SocketAddress(ipAddress: $0, port: 0)) != nil } ?? true
            let handler: NIOSSLClientHandler
            do {
                handler = try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : hostName)
            } catch { throw NetworkError.insecure(.wrongHost(hostName ?? "")) }
            try pipeline.addHandler(handler)
            try pipeline.addHandler(HandshakeWatch(handler, hostName: hostName, limit: limit))
        case .server(acceptsPlain: false):
            let handler = NIOSSLServerHandler(context: context)
            try pipeline.addHandler(handler)
            try pipeline.addHandler(HandshakeWatch(handler, hostName: nil, limit: limit))
        case .server(acceptsPlain: true):
            let watch = HandshakeWatch(nil, hostName: nil, limit: limit)
            try pipeline.addHandler(FirstByte(context, watch))
            try pipeline.addHandler(watch)
        }
    }

    private typealias SocketAddress = NIOCore.SocketAddress
}

/// Tells by the first byte of a stream whether it is encrypted: handshakes begin with 22, and no version of CQL's protocol
/// has that number.
///
/// Stands before everything else until the byte has come, and then leaves.
private final class FirstByte: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private static let handshake: UInt8 = 22

    private let security: NIOSSLContext
    private let watch: HandshakeWatch

    init(_ security: NIOSSLContext, _ watch: HandshakeWatch) {
        self.security = security
        self.watch = watch
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer: ByteBuffer = unwrapInboundIn(data)
        guard let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) else { return }
        if first == FirstByte.handshake {
            let handler = NIOSSLServerHandler(context: security)
            do {
                try context.pipeline.syncOperations.addHandler(handler, position: .after(self))
            } catch {
                context.close(promise: nil)
                return
            }
            watch.handler = handler
        } else {
            context.fireUserInboundEventTriggered(ChannelReady(encryptionProtocol: nil))
        }
        context.fireChannelRead(data)
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}
