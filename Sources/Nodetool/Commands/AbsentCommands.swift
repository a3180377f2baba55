/// Cassandra's commands that have nothing to do here, or that there is no way to do: each with one sentence.
enum AbsentCommands {
    static let all: [NodetoolCommand] =
        needless.map { NodetoolCommand($0.name, .needless($0.sentence)) }
        + impossible.map { NodetoolCommand($0.name, .impossible($0.sentence)) }

    /// What scripts may go on after: there is nothing to be done.
    private static let needless: [(name: String, sentence: String)] = [
        ("gcstats", "There is no garbage collector: memory is freed when it is no longer used."),
        ("viewbuildstatus", "There are no materialized views to be built."),
        ("invalidatekeycache", "There is no key cache: partitions are found by indexes whose blocks are cached."),
        ("invalidaterowcache", "There is no row cache: blocks of files are cached instead."),
        ("invalidatecountercache", "There is no counter cache: counters are read from their replica."),
        ("invalidatecredentialscache", "There are no roles yet, so no credentials are cached."),
        ("invalidatepermissionscache", "There are no roles yet, so no permissions are cached."),
        ("invalidaterolescache", "There are no roles yet, so none are cached."),
        ("invalidatenetworkpermissionscache", "There are no roles yet, so no permissions are cached."),
        ("invalidatejmxpermissionscache", "There is no JMX: the admin port has its own password file."),
        ("invalidatecidrpermissionscache", "There are no roles yet, so no permissions are cached."),
        ("join", "A node joins the ring when it starts: 'nodetool status' shows whether it has."),
        ("reloadtriggers", "There are no triggers."),
        ("reloadlocalschema", "The schema is part of the cluster's metadata, which every node has always read whole."),
        ("resetlocalschema", "The schema is part of the cluster's metadata: it is the same on all nodes by itself."),
        ("reloadseeds", "Seeds are asked only by a node that has never been in a cluster."),
        ("refreshsizeestimates", "The table system.size_estimates is made up whenever somebody reads it."),
        ("relocatesstables", "There is one data folder, so that every file is where it belongs."),
    ]

    private static let impossible: [(name: String, sentence: String)] = [
        ("refresh", "Files are taken in with 'nodetool import KEYSPACE TABLE DIRECTORY'."),
        (
            "stopdaemon",
            "A node is stopped by its service manager or with SIGTERM; 'nodetool drain' prepares it for that."
        ),
        (
            "setconcurrentcompactors",
            "Every shard compacts one table at a time: the setting shards says how many there are."
        ),
        ("getcompactionthreshold", "The thresholds are options of the table's compaction: DESCRIBE TABLE shows them."),
        ("setcompactionthreshold", "The thresholds are options of the table's compaction: ALTER TABLE changes them."),
        (
            "getconcurrency",
            "There are no pools of threads: every shard has one thread, and the setting shards says how many."
        ),
        (
            "setconcurrency",
            "There are no pools of threads: every shard has one thread, and the setting shards says how many."
        ),
        ("getconcurrentviewbuilders", "There are no materialized views."),
        ("setconcurrentviewbuilders", "There are no materialized views."),
        ("setcachecapacity", "There is one cache, of blocks: the setting file_cache_size says how large it is."),
        ("setcachekeystosave", "Caches are not saved: they fill from the page cache of the system."),
        (
            "getcolumnindexsize",
            "Rows are indexed block by block: the compression option chunk_length_in_kb says how large they are."
        ),
        (
            "setcolumnindexsize",
            "Rows are indexed block by block: the compression option chunk_length_in_kb says how large they are."
        ),
        ("getdefaultrf", "There is no default: CREATE KEYSPACE says how many replicas there are."),
        ("setdefaultrf", "There is no default: CREATE KEYSPACE says how many replicas there are."),
        ("enableoldprotocolversions", "The setting native_transport_allow_older_protocols is read at the start."),
        ("disableoldprotocolversions", "The setting native_transport_allow_older_protocols is read at the start."),
        ("rebuild_index", "There are no indexes to be built."),
        ("recompress_sstables", "'nodetool upgradesstables -a' writes files with the table's present compression."),
        (
            "forcecompact",
            "'nodetool compact --partition KEY' merges the files of a partition; it keeps gc_grace_seconds."
        ),
        ("enableauditlog", "There is no audit log."), ("disableauditlog", "There is no audit log."),
        ("getauditlog", "There is no audit log."),
        ("enablefullquerylog", "There is no full query log."), ("disablefullquerylog", "There is no full query log."),
        ("resetfullquerylog", "There is no full query log."), ("getfullquerylog", "There is no full query log."),
        ("getauthcacheconfig", "There are no roles yet, so nothing of them is cached."),
        ("setauthcacheconfig", "There are no roles yet, so nothing of them is cached."),
        ("cidrfilteringstats", "Clients are not told apart by their networks."),
        ("listcidrgroups", "Clients are not told apart by their networks."),
        ("updatecidrgroup", "Clients are not told apart by their networks."),
        ("dropcidrgroup", "Clients are not told apart by their networks."),
        ("getcidrgroupsofip", "Clients are not told apart by their networks."),
        ("reloadcidrgroupscache", "Clients are not told apart by their networks."),
        ("cms", "The metadata's voters are chosen by the cluster: 'nodetool describecluster' shows them."),
        ("autorepairstatus", "'nodetool repair --status' shows how verified the ranges of the node are."),
        ("getautorepairconfig", "'nodetool repair --status' shows whether ranges are verified, and within which time."),
        ("setautorepairconfig", "'nodetool repair --on' and 'nodetool repair --off' say whether ranges are verified."),
        ("accord", "There are no Accord transactions."),
        ("consensus_admin", "There is one protocol of consensus, Paxos, and nothing to migrate."),
        ("altertopology", "A node's datacenter and rack are those of its first start."),
        ("profile", "There is no Java to be profiled; perf and its like see Swift's functions by name."),
        ("sjk", "There is no Java to be looked into."),
        ("history", "The shell keeps the history of commands."),
        ("compressiondictionary", "Blocks are compressed without dictionaries."),
        ("getguardrailsconfig", "'nodetool getsetting' shows all settings, those of limits among them."),
        ("setguardrailsconfig", "'nodetool setsetting' changes the settings that can be changed while a node runs."),
        ("sstablerepairedset", "Files do not say whether they are repaired."),
    ]
}
