import Environment
import MartletClient

/// Finds out whether a node serves clients.
enum CQLProbe {
    /// Says hello as a client does. A node that wants to know who we are answers too.
    static func answers(at address: SocketAddress, _ host: Host) async -> Bool {
        var options = ConnectionOptions()
        options.connectTimeout = .seconds(2)
        do {
            let connection = try await CQLConnection.connect(
                to: address, on: host.loops[0], network: host.network, options: options)
            connection.close()
            return true
        } catch ClientError.authenticationRequired {
            return true
        } catch {
            return false
        }
    }
}
