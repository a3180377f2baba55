import CQL
import Environment
import MartletClient
import Synchronization

/// The statement of a script that a server works on while the next ones are read.
struct StatementInFlight {
    let text: String
    /// Where it comes from, for errors.
    let place: String?
    let options: QueryOptions
    let work: any BackgroundWork
    let answer: StatementAnswer
}

/// Carries an answer out of background work.
final class StatementAnswer: Sendable {
    let result = Mutex<Result<QueryResult, any Error>?>(nil)
}

/// Scripts: statements that do not depend on each other are sent before the answers to those before them have come.
///
/// Whatever is shown, of results and of errors, is shown in the order of the script.
extension ShellSession {
    /// How many statements may wait for their answers.
    private static var inFlightLimit: Int { 128 }
    /// How many bytes of statements may wait for their answers.
    private static var inFlightByteLimit: Int { 4 << 20 }

    /// Executes an entry of a script, perhaps not before `finishStatements`; false when it says that the shell is to end.
    package func submit(_ entry: ScriptReader.Entry, source: String?) async -> Bool {
        guard let client, !settings.isTracing, !settings.tellsElapsed, StatementOrder.isFree(entry.text) else {
            await finishStatements()
            return await run(entry, source: source) != .exit
        }
        let byteCount: Int = entry.text.utf8.count
        while let first = inFlight.first,
            inFlight.count >= ShellSession.inFlightLimit
                || inFlightByteCount + byteCount > ShellSession.inFlightByteLimit
        {
            await finish(first)
        }
        let (text, options, answer): (String, QueryOptions, StatementAnswer) = (
            entry.text, queryOptions, StatementAnswer()
        )
        let work: any BackgroundWork = host.background.run("statement", on: host.loops[0]) {
            let result: Result<QueryResult, any Error>
            do {
                result = .success(try await client.query(text, options: options))
            } catch {
                result = .failure(error)
            }
            answer.result.withLock { $0 = result }
        }
        inFlightByteCount += byteCount
        inFlight.append(
            StatementInFlight(
                text: text, place: source.map { "\($0):\(entry.line):" }, options: options, work: work, answer: answer))
        return true
    }

    /// Waits for all statements that were submitted.
    package func finishStatements() async {
        while let first = inFlight.first { await finish(first) }
    }

    /// Waits for the oldest statement and shows what came of it.
    private func finish(_ first: StatementInFlight) async {
        await first.work.wait()
        inFlight.removeFirst()
        inFlightByteCount -= first.text.utf8.count
        errorPlace = first.place
        switch first.answer.result.withLock({ $0 }) {
        case .success(let result): showWarnings(result.warnings)
        case .failure(CQLError.overloaded): await runAlone(first)
        case .failure(let error): complain(ErrorText.text(error))
        case nil: complain(ErrorText.text(CancellationError()))
        }
    }

    /// Sends a statement again that the server has not carried out, because too much came at once.
    private func runAlone(_ statement: StatementInFlight) async {
        for other in inFlight { await other.work.wait() }
        do {
            showWarnings(try await client?.query(statement.text, options: statement.options).warnings ?? [])
        } catch {
            complain(ErrorText.text(error))
        }
    }
}
