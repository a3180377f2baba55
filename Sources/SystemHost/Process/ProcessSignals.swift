import CSystemCalls
import Glibc

/// The requests to end that the system sends to the process: SIGINT and SIGTERM.
package enum ProcessSignals {
    package enum Termination: Sendable {
        /// Ctrl-C.
        case interrupt
        case terminate
    }

    /// Calls `react` for every request, on a thread of its own, from now on; SIGPIPE is ignored from now on too. To be
    /// called once.
    ///
    /// - Returns: whether the signals could be caught.
    @discardableResult
    package static func onTermination(_ react: @escaping @Sendable (Termination) -> Void) -> Bool {
        let descriptor: Int32 = martlet_catch_termination()
        guard descriptor >= 0 else { return false }
        let watch = Watch(descriptor: descriptor, react: react)
        var thread = pthread_t()
        let context: UnsafeMutableRawPointer = Unmanaged.passRetained(watch).toOpaque()
        let status: Int32 = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                martlet_name_thread("martlet-signals")
                Unmanaged<Watch>.fromOpaque(context).takeRetainedValue().serve()
                return nil
            }, context)
        if status == 0 {
            pthread_detach(thread)
        } else {
            Unmanaged<Watch>.fromOpaque(context).release()
        }
        return status == 0
    }

    private final class Watch: Sendable {
        private let descriptor: Int32
        private let react: @Sendable (Termination) -> Void

        init(descriptor: Int32, react: @escaping @Sendable (Termination) -> Void) {
            self.descriptor = descriptor
            self.react = react
        }

        func serve() {
            var number: UInt8 = 0
            while retrying({ read(descriptor, &number, 1) }) == 1 {
                react(Int32(number) == SIGINT ? .interrupt : .terminate)
            }
        }
    }
}
