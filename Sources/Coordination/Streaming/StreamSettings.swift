/// How streams are carried.
package struct StreamSettings: Sendable, Hashable {
    /// What this node sends at most in a second, to nodes of its own data centre and to others; 0 for no limit
    /// (`stream_throughput_outbound`, `inter_dc_stream_throughput_outbound`).
    package var bytesPerSecond: Int = 24 << 20
    package var interDatacenterBytesPerSecond: Int = 24 << 20
    /// How long one request may take, before it is asked again.
    package var requestTimeout: Duration = .seconds(10)
    /// How long a node that does not answer is asked again, before the pull fails.
    package var patience: Duration = .seconds(60)
    /// The pause after the first request that failed; it doubles up to sixteen times itself.
    package var pause: Duration = .milliseconds(100)
    /// Sessions that nobody asks anything of end after this.
    package var lease: Duration = .seconds(300)
    /// Sessions that this node serves at once.
    package var sessionCount: Int = 16
    /// Of a row answer, about, and of a piece of a file.
    package var chunkByteCount: Int = 1 << 20
    /// Requests of one stream that wait for their answers.
    package var windowCount: Int = 4
    /// Files below this size are read and merged with others instead of being sent as they are
    /// (`stream_entire_sstables`: with `Int.max` no file is).
    package var wholeByteCount: Int = 256 << 10
    /// Parts of one pull that are fetched at once.
    package var partCount: Int = 3
    /// How long a node remembers who has fetched what, so that a truncation that was under way then reaches them: longer
    /// than a truncation may take (`truncate_request_timeout`).
    package var truncationMemory: Duration = .seconds(180)

    package init() {}
}
