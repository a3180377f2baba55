import Environment
import NIOCore
import Primitives

/// One TCP connection: the only handler of its channel, and what the owner sends through.
///
/// Hot: `channelRead`, `channelReadComplete` and `send` run once per read of a busy connection, however many requests
/// the read holds. They allocate nothing in the steady state: NIO reuses the buffer it reads into, and `sending` is
/// reused as soon as the system has taken its bytes.
///
/// `Sendable` is unchecked because everything but the constants is only touched on the loop.
final class SystemConnection: ChannelInboundHandler, Connection, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    static let receiveAllocator = AdaptiveRecvByteBufferAllocator(minimum: 2_048, initial: 16_384, maximum: 65_536)
    /// Buffers beyond this are given back, so that one large message does not stay in memory.
    private static let keptByteCount = 256 * 1_024

    private let systemLoop: SystemLoop
    private var makeHandler: (() -> any ConnectionHandler)?
    private var owner: (any ConnectionHandler)?
    private var context: ChannelHandlerContext?
    private var options: (any NIOSynchronousChannelOptions)?
    private(set) var remoteAddress = Environment.SocketAddress(host: [0, 0, 0, 0], port: 0)
    private(set) var localAddress = Environment.SocketAddress(host: [0, 0, 0, 0], port: 0)

    /// What the owner has been shown and not used, or not been shown because reading is paused.
    private var held = ByteBuffer()
    private var sending = ByteBuffer()
    private var isReading = false
    /// Whether the owner has been shown something and not been told that this was all.
    private var hasShown = false
    private var needsFlush = false
    private var isPaused = false
    private var isClosing = false
    private var awaitsDrain = false
    private var lastError: NetworkError?
    /// Whether bytes can pass: always, unless the two sides have to agree on keys first.
    private var isReady = true
    private var opensWhenReady = false
    /// Whoever waits for the two sides to agree.
    private var ready: EventLoopPromise<Void>?
    private(set) var encryptionProtocol: String?

    init(loop: SystemLoop, makeHandler: @escaping () -> any ConnectionHandler) {
        self.systemLoop = loop
        self.makeHandler = makeHandler
    }

    /// Says that the channel has handlers that protect it, before it is added to that.
    ///
    /// - Parameter ready: told when the two sides have agreed, which the owner then waits for too; nil for an owner who is
    ///   told of the connection before.
    func awaitSecurity(_ ready: EventLoopPromise<Void>?) {
        isReady = false
        opensWhenReady = ready != nil
        self.ready = ready
    }

    var loop: any Loop { systemLoop }

    // MARK: Sending

    func send(_ bytes: inout ByteWriter) {
        defer { bytes.removeAll() }
        guard let context, !isClosing, !bytes.isEmpty else { return }
        // When the system has taken the last bytes nobody else holds the buffer, and clearing it keeps its memory.
        sending.clear()
        bytes.withUnsafeBytes { _ = sending.writeBytes($0) }
        context.write(wrapOutboundOut(sending), promise: nil)
        if sending.capacity > SystemConnection.keptByteCount { sending = ByteBuffer() }
        if isReading {
            needsFlush = true
        } else {
            flush(context)
        }
    }

    var unsentByteCount: Int {
        (try? options?.getOption(.bufferedWritableBytes)) ?? 0
    }

    private func flush(_ context: ChannelHandlerContext) {
        needsFlush = false
        context.flush()
        if !awaitsDrain, unsentByteCount > 0 { awaitDrain(context) }
    }

    /// Cold: the other side does not keep up. An empty write behind all others tells when they have left.
    private func awaitDrain(_ context: ChannelHandlerContext) {
        awaitsDrain = true
        let promise: EventLoopPromise<Void> = context.eventLoop.makePromise()
        promise.futureResult.assumeIsolated().whenSuccess { [self] in
            awaitsDrain = false
            guard let context = self.context else { return }
            if unsentByteCount > 0 {
                awaitDrain(context)
            } else if !isClosing {
                owner?.drained()
            }
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
    }

    func close() {
        guard !isClosing, let context else { return }
        isClosing = true
        if !isReady {
            // What was sent waits for keys that nobody wants any more.
            context.eventLoop.assumeIsolated().execute { [self] in self.context?.close(promise: nil) }
            return
        }
        let promise: EventLoopPromise<Void> = context.eventLoop.makePromise()
        promise.futureResult.assumeIsolated().whenComplete { [self] _ in
            // Not from inside the owner's call: `closed` comes after it has returned.
            context.eventLoop.assumeIsolated().execute { self.context?.close(promise: nil) }
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
    }

    // MARK: Receiving

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer: ByteBuffer = unwrapInboundIn(data)
        guard !isClosing, let owner else { return }
        isReading = true
        if isPaused || held.readableBytes > 0 {
            held.writeImmutableBuffer(buffer)
            if !isPaused { showHeld(to: owner) }
            return
        }
        hasShown = true
        buffer.withUnsafeReadableBytes { bytes in
            let used: Int = owner.received(bytes)
            require(used >= 0 && used <= bytes.count, "a handler uses no more than it was shown")
            if used < bytes.count {
                held.clear()
                held.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[used...]))
            }
        }
    }

    private func showHeld(to owner: any ConnectionHandler) {
        hasShown = true
        let used: Int = held.withUnsafeReadableBytes { owner.received($0) }
        require(used >= 0 && used <= held.readableBytes, "a handler uses no more than it was shown")
        held.moveReaderIndex(forwardBy: used)
        if held.readableBytes == 0 {
            if held.capacity > SystemConnection.keptByteCount { held = ByteBuffer() } else { held.clear() }
        } else {
            // Moving the rest to the front costs its length: only when at least as much has been used before it.
            if held.readerIndex >= held.readableBytes { held.discardReadBytes() }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if hasShown {
            hasShown = false
            if !isClosing { owner?.receiveCompleted() }
        }
        isReading = false
        if needsFlush { flush(context) }
    }

    func pauseReading() {
        guard !isPaused else { return }
        isPaused = true
        setAutomaticReading(false)
    }

    func resumeReading() {
        guard isPaused else { return }
        isPaused = false
        setAutomaticReading(true)
        // After the owner's call has returned, what it left is shown again: nothing else may ever arrive.
        systemLoop.eventLoop.assumeIsolated().execute { [self] in showAgain() }
    }

    private func showAgain() {
        guard let owner, let context, !isPaused, !isClosing, held.readableBytes > 0 else { return }
        isReading = true
        showHeld(to: owner)
        channelReadComplete(context: context)
    }

    private func setAutomaticReading(_ isOn: Bool) {
        // Fails only on a channel that is closed, and then nothing is read anyway.
        try? options?.setOption(.autoRead, value: isOn)
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.options = context.channel.syncOptions
        if context.channel.isActive { open(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        open(context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelReady else { return context.fireUserInboundEventTriggered(event) }
        isReady = true
        encryptionProtocol = event.encryptionProtocol
        if opensWhenReady { open(context) }
        ready?.succeed()
        ready = nil
    }

    private func open(_ context: ChannelHandlerContext) {
        guard isReady || !opensWhenReady, let makeHandler else { return }
        self.makeHandler = nil
        if let address = context.remoteAddress.flatMap(Environment.SocketAddress.init(native:)) {
            remoteAddress = address
        }
        if let address = context.localAddress.flatMap(Environment.SocketAddress.init(native:)) {
            localAddress = address
        }
        let owner: any ConnectionHandler = makeHandler()
        self.owner = owner
        owner.opened(self)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What follows from the first error says less than that.
        if lastError == nil { lastError = NetworkError(error, remoteAddress) }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let ended: (any ConnectionHandler)? = owner
        owner = nil
        makeHandler = nil
        self.context = nil
        options = nil
        held = ByteBuffer()
        sending = ByteBuffer()
        ready?.fail(lastError ?? .closed)
        ready = nil
        ended?.closed(lastError)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        options = nil
        ready?.fail(lastError ?? .closed)
        ready = nil
    }
}
