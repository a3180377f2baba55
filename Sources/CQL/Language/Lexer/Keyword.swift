/// A word the grammar knows; the raw value is its spelling in lower case.
///
/// `table` and `tables` also stand for their old spellings `columnfamily` and `columnfamilies`.
enum Keyword: String, CaseIterable {
    // Reserved: never a name unless quoted.
    case add, allow, alter, and, apply, asc, authorize, batch, begin, by, create, delete, desc, describe, drop, entries
    case execute, from, full, grant, `if`, `in`, index, infinity, insert, into, `is`, keyspace, limit, materialized
    case modify, nan, norecursive, not, null, of, on, or, order, primary, rename, revoke, schema, select, set, table
    case to, token, truncate, unlogged, update, use, using, view, `where`, with

    // Names of scalar types.
    case ascii, bigint, blob, boolean, counter, date, decimal, double, duration, float, inet, int, smallint, text
    case time, timestamp, timeuuid, tinyint, uuid, varchar, varint

    // Names of columns, but not of functions or types.
    case cast, count, distinct, json, key, maxwritetime, ttl, writetime

    // Names of anything.
    case access, aggregate, aggregates, all, ann, `as`, between, called, cidrs, cluster, clustering, compact, contains
    case custom, datacenters, `default`, exists, filtering, finalfunc, frozen, function, functions, generated, group
    case hashed, identity, indexes, initcond, input, internals, keys, keyspaces, language, like, list
    case login, map, masked, mbean, mbeans, nologin, nosuperuser, only, options, partition, password, per, permission
    case permissions, replace, returns, role, roles
    case selectMasked = "select_masked"
    case sfunc, `static`, storage, stype
    case superuser, superusers, tables, trigger, tuple, type, types, unmask, unset, user, users, values, vector

    /// Which names the word may stand for without quotes.
    enum Use {
        case reserved
        case nativeType
        /// A name of a column, keyspace, table and so on, but not of a function or a type.
        case columnOnly
        case anyName
    }

    var use: Use {
        switch self {
        case .add, .allow, .alter, .and, .apply, .asc, .authorize, .batch, .begin, .by, .create, .delete, .desc,
            .describe, .drop, .entries, .execute, .from, .full, .grant, .if, .in, .index, .infinity, .insert, .into,
            .is, .keyspace, .limit, .materialized, .modify, .nan, .norecursive, .not, .null, .of, .on, .or, .order,
            .primary, .rename, .revoke, .schema, .select, .set, .table, .to, .token, .truncate, .unlogged, .update,
            .use, .using, .view, .where, .with:
            .reserved
        case .ascii, .bigint, .blob, .boolean, .counter, .date, .decimal, .double, .duration, .float, .inet, .int,
            .smallint, .text, .time, .timestamp, .timeuuid, .tinyint, .uuid, .varchar, .varint:
            .nativeType
        case .cast, .count, .distinct, .json, .key, .maxwritetime, .ttl, .writetime: .columnOnly
        default: .anyName
        }
    }

    /// The name that error messages give to the word; tools compare these, so they follow Cassandra's.
    var grammarName: String {
        switch self {
        case .table: "K_COLUMNFAMILY"
        case .nan: "K_POSITIVE_NAN"
        case .infinity: "K_POSITIVE_INFINITY"
        default: "K_" + rawValue.uppercased()
        }
    }
}
