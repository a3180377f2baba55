import ArgumentParser
import Environment
import Simulation
import SystemHost

/// Runs seeds of the simulation and says what came of each.
@main
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet-simulate",
        abstract: "Whole clusters with clients under faults, in one process and in virtual time.",
        discussion: """
            A line is printed for each seed; the same seed prints the same trace on every run. When a rule does not hold, \
            the shortest history that shows it follows and the exit status is 1.
            """)

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    @Option(help: "How many seeds, one after the other.")
    var seeds: UInt64 = 1

    @Option(help: "How many nodes, from 1 to 7; the seed says when not given.")
    var nodes: Int?

    @Option(help: "How many nodes more come and go while clients work, up to 4; the seed says when not given.")
    var spares: Int?

    @Option(help: "How many seconds clients work and faults happen, in virtual time.")
    var seconds: Int = 20

    @Option(
        help: """
            The kinds of work that clients do, with commas between: \(WorkloadKind.allCases.map(\.rawValue).joined(separator: ", ")); \
            the seed says when not given.
            """)
    var work: String?

    @Option(
        help: """
            Where nodes stand and how many copies there are: plain (one data centre, 3 copies), single (1 copy), many (2 or 5 \
            copies) or datacenters (two with 3 copies each); the seed says when not given.
            """)
    var layout: String?

    @Option(help: "Switches on a deliberate bug, which a checker then finds.")
    var plant: String?

    @Flag(help: "Prints the names of deliberate bugs and ends.")
    var listPlants = false

    @Flag(help: "Prints what goes wrong when, and everything that clients did and saw.")
    var verbose = false

    mutating func validate() throws {
        if let nodes, !(1...7).contains(nodes) { throw ValidationError("--nodes is a number from 1 to 7.") }
        if let spares, !(0...4).contains(spares) { throw ValidationError("--spares is a number from 0 to 4.") }
        if !(1...3_600).contains(seconds) { throw ValidationError("--seconds is a number from 1 to 3600.") }
        if work?.split(separator: ",").contains(where: { WorkloadKind(rawValue: String($0)) == nil }) ?? false {
            throw ValidationError("--work takes \(WorkloadKind.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        if let layout, ClusterShape.Layout(rawValue: layout) == nil {
            throw ValidationError("--layout takes plain, single, many and datacenters.")
        }
        if seeds < 1 { throw ValidationError("--seeds is at least 1.") }
    }

    func run() throws {
        // Sets and dictionaries have another order in each process otherwise, and what follows it another trace.
        OwnProcess.restart(setting: "SWIFT_DETERMINISTIC_HASHING", to: "1")
        if listPlants { return printPlants() }
        if let plant { try switchOn(plant) }
        var hasFailed: Bool = ProcessResources.environmentVariable(SimulateCommand.failure) != nil
        let count: UInt64 = min(seeds, SimulateCommand.seedsOfAProcess)
        for current in seed..<(seed &+ count) {
            var options = RunOptions()
            options.nodeCount = nodes
            options.spareCount = spares
            options.lengthMilliseconds = seconds * 1_000
            options.workloads = work?.split(separator: ",").compactMap { WorkloadKind(rawValue: String($0)) }
            options.layout = layout.flatMap { ClusterShape.Layout(rawValue: $0) }
            options.keepsLines = verbose
            let run = try SimulationRun(seed: current, options: options)
            if verbose { for event in run.plan.events { OwnProcess.print("fault at \(event)") } }
            let report: RunReport = try run.report()
            for line in report.lines { OwnProcess.print(line) }
            OwnProcess.print(report.text)
            if !report.isGood { hasFailed = true }
        }
        if seeds > count { try goOn(at: seed &+ count, seeds &- count, hasFailed) }
        if hasFailed { throw ExitCode(1) }
    }

    /// What nodes were about when a world ended stays in memory, so a process runs only so many.
    private static let seedsOfAProcess: UInt64 = 50
    /// Set in the environment when a seed of a former process has failed.
    private static let failure = "MARTLET_SIMULATION_FAILED"

    /// Goes on in a new process.
    private func goOn(at next: UInt64, _ rest: UInt64, _ hasFailed: Bool) throws {
        var kept: [String] = []
        var arguments: ArraySlice<String> = CommandLine.arguments.dropFirst()
        while let argument = arguments.popFirst() {
            if argument == "--seed" || argument == "--seeds" {
                _ = arguments.popFirst()
            } else if !argument.hasPrefix("--seed=") && !argument.hasPrefix("--seeds=") {
                kept.append(argument)
            }
        }
        kept += ["--seed", "\(next)", "--seeds", "\(rest)"]
        if hasFailed {
            OwnProcess.restart(with: kept, setting: SimulateCommand.failure, to: "1")
        } else {
            OwnProcess.restart(with: kept, setting: "SWIFT_DETERMINISTIC_HASHING", to: "1")
        }
        throw ValidationError("The simulator cannot be started again for the seeds from \(next) on.")
    }

    private func printPlants() {
        #if PLANTS
        for plant in Plant.allCases { OwnProcess.print("\(plant.rawValue)\t\(plant.words)") }
        #endif
    }

    private func switchOn(_ name: String) throws {
        #if PLANTS
        guard let plant = Plant(rawValue: name) else {
            throw ValidationError("There is no plant \(name). --list-plants names them.")
        }
        Plant.active = plant
        #else
        throw ValidationError("This build has no plants: it was made without MARTLET_PLANTS=1.")
        #endif
    }
}
