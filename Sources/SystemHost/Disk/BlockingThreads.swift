import CSystemCalls
import Environment
import Glibc

/// A fixed pool of threads for calls that block: files, and looking up names.
///
/// A thread starts when there is work and none is idle, and stays until the pool is shut down.
///
/// `Sendable` is unchecked because all state is only touched with `lock` held.
final class BlockingThreads: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let work: UnsafeMutablePointer<pthread_cond_t>
    private let limit: Int
    private var jobs: [@Sendable () -> Void] = []
    private var nextJob = 0
    private var idleCount = 0
    private var threads: [pthread_t] = []
    private var isStopping = false

    init(limit: Int) {
        self.limit = limit
        self.lock = .allocate(capacity: 1)
        self.work = .allocate(capacity: 1)
        pthread_mutex_init(lock, nil)
        pthread_cond_init(work, nil)
    }

    deinit {
        pthread_cond_destroy(work)
        pthread_mutex_destroy(lock)
        work.deallocate()
        lock.deallocate()
    }

    /// Runs `body` on a thread of the pool.
    func run<Value: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await withUnsafeContinuation { continuation in
            submit { continuation.resume(returning: Result(catching: body)) }
        }
        return try result.get()
    }

    /// Runs `job` on a thread of the pool; nobody waits for it.
    func submit(_ job: @escaping @Sendable () -> Void) {
        pthread_mutex_lock(lock)
        var isTaken = false
        if !isStopping {
            jobs.append(job)
            isTaken = true
            pthread_cond_signal(work)
            // An idle thread may already have been woken for an earlier job: there is one for each only if there are as
            // many as jobs that wait.
            if jobs.count - nextJob > idleCount, threads.count < limit {
                isTaken = startThread() || !threads.isEmpty
                if !isTaken { jobs.removeLast() }
            }
        }
        pthread_mutex_unlock(lock)
        // With no thread to be had the caller waits: slower, and nothing is lost.
        if !isTaken { job() }
    }

    /// Finishes what was submitted and ends the threads.
    func shutdown() async {
        let ending: [pthread_t] = stop()
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            // A thread that cannot join itself does the waiting.
            let joiner = Joiner(threads: ending) { continuation.resume() }
            if !joiner.start() { continuation.resume() }
        }
    }

    private func stop() -> [pthread_t] {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        isStopping = true
        pthread_cond_broadcast(work)
        let ending: [pthread_t] = threads
        threads = []
        return ending
    }

    /// With the lock held. False when the system has no thread to give.
    private func startThread() -> Bool {
        var thread = pthread_t()
        let context: UnsafeMutableRawPointer = Unmanaged.passRetained(self).toOpaque()
        let status: Int32 = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                martlet_name_thread("martlet-disk")
                Unmanaged<BlockingThreads>.fromOpaque(context).takeRetainedValue().serve()
                return nil
            }, context)
        guard status == 0 else {
            Unmanaged<BlockingThreads>.fromOpaque(context).release()
            return false
        }
        threads.append(thread)
        return true
    }

    /// The life of one thread.
    private func serve() {
        while let job = takeJob() { job() }
    }

    private func takeJob() -> (@Sendable () -> Void)? {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while nextJob == jobs.count {
            if isStopping { return nil }
            idleCount += 1
            pthread_cond_wait(work, lock)
            idleCount -= 1
        }
        let job: @Sendable () -> Void = jobs[nextJob]
        nextJob += 1
        if nextJob == jobs.count || nextJob == 1_024 {
            jobs.removeFirst(nextJob)
            nextJob = 0
        }
        return job
    }
}

/// Waits for threads to end, on a thread of its own.
private final class Joiner: Sendable {
    private let threads: [pthread_t]
    private let done: @Sendable () -> Void

    init(threads: [pthread_t], done: @escaping @Sendable () -> Void) {
        self.threads = threads
        self.done = done
    }

    func start() -> Bool {
        var thread = pthread_t()
        let context: UnsafeMutableRawPointer = Unmanaged.passRetained(self).toOpaque()
        let status: Int32 = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Joiner>.fromOpaque(context).takeRetainedValue().join()
                return nil
            }, context)
        if status == 0 {
            pthread_detach(thread)
        } else {
            Unmanaged<Joiner>.fromOpaque(context).release()
        }
        return status == 0
    }

    private func join() {
        for thread in threads { pthread_join(thread, nil) }
        done()
    }
}
