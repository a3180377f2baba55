import MartletClient
import Shell
import Testing

@Suite struct StatementOrderTests {
    @Test(arguments: [
        "INSERT INTO t (k, v) VALUES (1, 'a')", "insert into ks.t json '{}'",
        "UPDATE t SET v = 1, w = now() WHERE k = 1",
        "DELETE FROM t WHERE k = 1", "delete v from t where k = 1 and c > 3", "UPDATE t SET n = n + 3 WHERE k = 1",
        "UPDATE t SET s = s - {'a'}, m = m + {1: 2} WHERE k = 1",
        "BEGIN UNLOGGED BATCH INSERT INTO t (k) VALUES (1); DELETE FROM t WHERE k = 2; APPLY BATCH",
    ])
    func plainWritesAreFree(_ text: String) {
        #expect(StatementOrder.isFree(text))
    }

    @Test(arguments: [
        "SELECT * FROM t", "INSERT INTO t (k) VALUES (1) IF NOT EXISTS", "UPDATE t SET v = 1 WHERE k = 1 IF v = 2",
        "DELETE FROM t WHERE k = 1 IF EXISTS", "UPDATE t SET l = l + [1] WHERE k = 1",
        "UPDATE t SET l = [1] + l WHERE k = 1",
        "UPDATE t SET l[0] = 1 WHERE k = 1", "DELETE l[0] FROM t WHERE k = 1", "TRUNCATE t", "USE ks", "INSERT INTO",
        "",
        "CREATE TABLE t (k int PRIMARY KEY)", "INSERT INTO t (k) VALUES (?)",
        "BEGIN BATCH INSERT INTO t (k) VALUES (1); INSERT INTO t (k) VALUES (2) IF NOT EXISTS; APPLY BATCH",
    ])
    func whatReadsWhatIsThereIsNot(_ text: String) {
        #expect(!StatementOrder.isFree(text))
    }

    @Test func timestampsGrowWhateverTheClockDoes() {
        var timestamps = WriteTimestamps()
        let taken: [Int64] = [5, 5, 3, 9, 9].map { timestamps.next(wallMicroseconds: $0) }
        #expect(taken == [5, 6, 7, 9, 10])
    }
}
