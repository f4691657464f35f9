#!/usr/bin/env bash
# A test waits for what it waits for. time.Sleep is for tests in a synctest bubble, where it moves the clock and takes no time;
# .golangci.yaml forbids it in all other code.
set -euo pipefail
cd "$(dirname "$0")/.."
sleepers=$(grep -rl --include='*_test.go' 'time\.Sleep(' . || true)
[ -n "$sleepers" ] || exit 0
wrong=$(xargs grep -L '"testing/synctest"' <<<"$sleepers" || true)
[ -z "$wrong" ] || { sed 's|$|: time.Sleep outside of testing/synctest: wait for the condition itself|' <<<"$wrong" >&2; exit 1; }
