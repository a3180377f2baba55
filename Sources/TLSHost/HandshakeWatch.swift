import Environment
import NIOCore
import NIOSSL
import NIOTLS
import SystemHost

/// Sees to it that a handshake ends: tells the connection when it has, closes the channel when it takes too long, and says
/// in this project's words what went wrong.
final class HandshakeWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// What encrypts; nil until it is known whether anything does.
    var handler: NIOSSLHandler?
    /// Who the other side has to be; nil for whoever is at its address.
    private let hostName: String?
    private let limit: TimeAmount
    private var deadline: Scheduled<Void>?
    private var isDone = false

    init(_ handler: NIOSSLHandler?, hostName: String?, limit: Duration) {
        self.handler = handler
        self.hostName = hostName
        let (seconds, attoseconds) = limit.components
        self.limit = .seconds(min(seconds, 3_600)) + .nanoseconds(attoseconds / 1_000_000_000)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { startDeadline(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        startDeadline(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        handler = nil
    }

    private func startDeadline(_ context: ChannelHandlerContext) {
        guard deadline == nil, !isDone else { return }
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { [self] in
            guard !isDone else { return }
            context.fireErrorCaught(NetworkError.insecure(.lateHandshake))
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as TLSUserEvent:
            guard case .handshakeCompleted = event else { return context.fireUserInboundEventTriggered(event) }
            finish()
            context.fireUserInboundEventTriggered(ChannelReady(encryptionProtocol: handler?.tlsVersion.map(name)))
        case is ChannelReady:
            finish()
            context.fireUserInboundEventTriggered(event)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    private func finish() {
        isDone = true
        deadline?.cancel()
        deadline = nil
    }

    private func name(_ version: TLSVersion) -> String {
        switch version {
        case .tlsv1: "TLSv1"
        case .tlsv11: "TLSv1.1"
        case .tlsv12: "TLSv1.2"
        case .tlsv13: "TLSv1.3"
        }
    }

    // MARK: Failures

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOSSLError.uncleanShutdown where isDone:
            // The stream ends without a farewell, as it would without encryption; what it carries knows its own lengths.
            break
        case NIOSSLError.shutdownFailed, is NIOSSLCloseTimedOutError:
            // The channel is being closed, for a reason that somebody has told or does not want told.
            break
        case is NetworkError, is IOError, is ChannelError:
            context.fireErrorCaught(error)
        default:
            context.fireErrorCaught(NetworkError.insecure(fault(error, context)))
        }
    }

    private func fault(_ error: any Error, _ context: ChannelHandlerContext) -> SecurityFault {
        if let error = error as? NIOSSLExtraError, error == .failedToValidateHostname {
            return .wrongHost(hostName ?? context.remoteAddress?.ipAddress ?? "this address")
        }
        let reason: String = TLSWords.reason(error)
        switch reason {
        case "certificate verify failed": return .untrustedPeer(reason)
        case "wrong version number", "http request", "invalid alert":
            return .failed("the other side does not speak TLS")
        default: return .failed(reason)
        }
    }
}

/// From BoringSSL's errors to words.
enum TLSWords {
    /// What is said between the library's name and the place in its source, such as CERTIFICATE_VERIFY_FAILED.
    static func reason(_ error: any Error) -> String {
        let text: String = stack(error)?.first.map { "\($0)" } ?? "\(error)"
        guard
            let reason = text.split(separator: ":").first(where: { part in
                part.split(separator: " ").first.map { $0.contains("_") && $0.allSatisfy(isUpper) } ?? false
            }), let name = reason.split(separator: " ").first
        else { return text.hasPrefix("Error:") ? String(text.dropFirst(6).drop { $0 == " " }) : text }
        return name.split(separator: "_").joined(separator: " ").lowercased()
    }

    private static func isUpper(_ character: Character) -> Bool {
        character.isASCII && (character.isUppercase || character.isNumber || character == "_")
    }

    private static func stack(_ error: any Error) -> NIOBoringSSLErrorStack? {
        switch error {
        case NIOSSLError.handshakeFailed(let inner), NIOSSLError.shutdownFailed(let inner): stack(inner)
        case BoringSSLError.sslError(let stack), BoringSSLError.unknownError(let stack),
            BoringSSLError.invalidSNIName(let stack):
            stack
        default: nil
        }
    }
}
