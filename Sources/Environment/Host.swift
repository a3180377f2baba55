/// Everything outside the process, in one bundle: what a node is given at start and never goes around.
///
/// `SystemHost` fills it with the operating system, `SimulatedHost` with a seed. No other code reads a clock, draws a
/// random number, or touches a file or a socket.
public struct Host: Sendable {
    public let time: any TimeSource
    public let entropy: any Entropy
    public let disk: any Disk
    public let network: any Network
    public let background: any Background
    /// One loop for each shard; never empty.
    public let loops: [any Loop]

    public init(
        time: any TimeSource, entropy: any Entropy, disk: any Disk, network: any Network, background: any Background,
        loops: [any Loop]
    ) {
        self.time = time
        self.entropy = entropy
        self.disk = disk
        self.network = network
        self.background = background
        self.loops = loops
    }
}
