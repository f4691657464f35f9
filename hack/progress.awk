# Reads what `go build -v` prints. Names of packages become a line for every hundred; all else is passed on.
/^[^ :#]+$/ { if (++compiled % 100 == 0) { printf "  %d packages compiled\n", compiled; fflush() } next }
{ print; fflush() }
