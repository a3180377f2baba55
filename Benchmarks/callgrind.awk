# Reads what callgrind has written ("Callgrind Format Specification" in its manual) and prints one line each for
#   total INSTRUCTIONS
#   calls COUNT NAME            how often a function that allocates was called
#   cost INSTRUCTIONS NAME      what a function cost by itself
function named(field, found) {
    found = field
    sub(/^c?fn=/, "", found)
    id = found
    sub(/\).*/, ")", id)
    rest = substr(found, length(id) + 2)
    if (rest != "") names[id] = rest
    return id
}
/^fn=/ { current = named($0); next }
/^cfn=/ { called = named($0); next }
/^calls=/ {
    count = $1
    sub(/^calls=/, "", count)
    calls[called] += count
    skips = 1
    next
}
/^(totals|summary):/ { total = $2; next }
/^[0-9+*-]/ {
    # The line behind calls= is the cost of the callee, which is counted there.
    if (skips) { skips = 0; next }
    cost[current] += $2
}
END {
    print "total", total
    for (id in calls)
        if (names[id] ~ /^(malloc|calloc|realloc|posix_memalign|aligned_alloc|memalign)$/) print "calls", calls[id], names[id]
    for (id in cost) print "cost", cost[id], names[id]
}
