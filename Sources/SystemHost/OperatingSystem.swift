package import Environment
import NIOCore
import NIOPosix
import Primitives

/// The operating system as a `Host`: NIO event loops, sockets, POSIX files and the clocks.
///
/// The only target that touches any of them. The process makes one and shuts it down at its end.
package final class OperatingSystem: Sendable {
    /// What a node or a client is given.
    package let host: Host
    private let group: MultiThreadedEventLoopGroup
    private let threads: BlockingThreads
    private let disk: SystemDisk

    /// Starts the loops; the threads for the disk start when they are needed.
    ///
    /// - Parameters:
    ///   - loopCount: one for each shard, each a thread of its own.
    ///   - diskThreadCount: how many blocking calls run at once.
    ///   - securing: what encrypts streams; without it none can be.
    package init(loopCount: Int, diskThreadCount: Int = 16, securing: (any ChannelSecuring)? = nil) {
        require(loopCount > 0 && diskThreadCount > 0, "a host has at least one loop and one disk thread")
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loopCount)
        let loops: [SystemLoop] = group.makeIterator().enumerated().map { index, eventLoop in
            SystemLoop(index: index, eventLoop: eventLoop)
        }
        self.group = group
        self.threads = BlockingThreads(limit: diskThreadCount)
        self.disk = SystemDisk(threads: threads)
        self.host = Host(
            time: SystemTime(), entropy: SystemEntropy(), disk: disk,
            network: SystemNetwork(group: group, loops: loops, threads: threads, securing: securing),
            background: SystemBackground(), loops: loops)
    }

    /// Closes all connections, ends all threads and lets go of all folders. Nothing of the host may be used afterwards.
    package func shutdown() async {
        // The only error is that it was shut down before, which is what is wanted.
        try? await group.shutdownGracefully()
        disk.unlockDirectories()
        await threads.shutdown()
    }
}
