/// What HELP says.
enum HelpText {
    static let overview: String = """

        Documented shell commands:
        ===========================
        """

    /// The names of the topics, sorted.
    static var topics: [String] { texts.map(\.name) }

    static func text(_ topic: String) -> String? {
        let wanted: String = topic.uppercased()
        return texts.first { $0.name == wanted || $0.otherName == wanted }?.text
    }

    private static let texts: [(name: String, otherName: String, text: String)] = [
        (
            "CAPTURE", "",
            """
            CAPTURE '<file>'   appends the results of statements to a file instead of showing them
            CAPTURE OFF        shows results again
            CAPTURE            tells whether results are captured
            """
        ),
        ("CLEAR", "CLS", "CLEAR | CLS        clears the screen"),
        (
            "CONSISTENCY", "",
            """
            CONSISTENCY <level>   sets how many replicas must answer: ANY, ONE, TWO, THREE, QUORUM, ALL, LOCAL_ONE,
                                  LOCAL_QUORUM, EACH_QUORUM, and for reads SERIAL and LOCAL_SERIAL
            CONSISTENCY           shows the level
            """
        ),
        (
            "COPY", "",
            """
            COPY <table> [(<column>, …)] TO '<file>' | STDOUT [WITH <option> = <value> [AND …]]
            COPY <table> [(<column>, …)] FROM '<file>' | STDIN [WITH <option> = <value> [AND …]]

            writes the rows of a table into a file of comma-separated values, or reads them from one; rows of standard
            input end with a line that is a backslash and a point.

            for both        DELIMITER ',' · QUOTE '"' · ESCAPE '\\' · HEADER false · NULL '' · DATETIMEFORMAT ·
                            DECIMALSEP '.' · THOUSANDSSEP '' · BOOLSTYLE 'True,False' · REPORTFREQUENCY 0.25
            TO              PAGESIZE 1000 · BEGINTOKEN · ENDTOKEN · MAXOUTPUTSIZE -1 · FLOATPRECISION 5 ·
                            DOUBLEPRECISION 12
            FROM            MAXROWS -1 · SKIPROWS 0 · SKIPCOLS '' · TTL · INGESTRATE · MAXATTEMPTS 5 · MAXBATCHSIZE 10 ·
                            MAXPARSEERRORS -1 · MAXINSERTERRORS 1000 · ERRFILE 'import_<keyspace>_<table>.err'
            """
        ),
        (
            "DESCRIBE", "DESC",
            """
            DESCRIBE CLUSTER                           the cluster's name, partitioner and snitch
            DESCRIBE [FULL] SCHEMA                     statements that make the whole schema
            DESCRIBE KEYSPACES | TABLES | TYPES | FUNCTIONS | AGGREGATES    names
            DESCRIBE KEYSPACE [<name>]                 statements that make a keyspace
            DESCRIBE TABLE | INDEX | MATERIALIZED VIEW | TYPE | FUNCTION | AGGREGATE [<keyspace>.]<name>
            DESCRIBE <name>                            whatever has that name
            """
        ),
        (
            "ELAPSED", "",
            """
            ELAPSED ON | OFF   shows how long each statement has taken, or not
            ELAPSED            shows the setting
            """
        ),
        ("EXIT", "QUIT", "EXIT | QUIT        leaves the shell"),
        (
            "EXPAND", "",
            """
            EXPAND ON | OFF    shows each row as a block of lines, or rows as a table
            EXPAND             shows the setting
            """
        ),
        ("HELP", "?", "HELP [<topic> …]   shows the topics, or help on some of them"),
        ("HISTORY", "", "HISTORY [<n>]      shows the last statements"),
        ("LOGIN", "", "LOGIN <user> ['<password>']    continues as another user"),
        (
            "PAGING", "",
            """
            PAGING ON | OFF    fetches results page by page, or all at once
            PAGING <n>         sets the number of rows of a page
            PAGING             shows the setting
            """
        ),
        (
            "SERIAL", "SERIAL CONSISTENCY",
            "SERIAL CONSISTENCY [SERIAL | LOCAL_SERIAL]    sets or shows the level of conditional statements"
        ),
        (
            "SHOW", "",
            """
            SHOW VERSION            versions of the shell, the server, the language and the protocol
            SHOW HOST               where the shell is connected
            SHOW CONSISTENCY        the levels of statements, and of conditional ones
            SHOW SESSION <id>       a tracing session
            SHOW REPLICAS <token> [<keyspace>]    the nodes that hold a token
            """
        ),
        ("SOURCE", "", "SOURCE '<file>'    executes the statements of a file"),
        (
            "TRACING", "",
            """
            TRACING ON | OFF   shows what each node does for each statement, or not
            TRACING            shows the setting
            """
        ),
        ("UNICODE", "", "UNICODE            shows how text is encoded, which is always UTF-8"),
    ]
}
