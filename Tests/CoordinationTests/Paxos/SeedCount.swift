import Glibc

/// How many seeds a random test runs: few in every run, as many as MARTLET_SEEDS says when somebody hunts.
func seedCount(_ usual: Int) -> Int {
    guard let text = getenv("MARTLET_SEEDS"), let count = Int(String(cString: text)) else { return usual }
    return max(1, count)
}
