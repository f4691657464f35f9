#!/usr/bin/env bash
# Who may import whom, also by way of something else; tests excepted. .golangci.yaml has the same table and names the line.
set -euo pipefail
cd "$(dirname "$0")/.."
ours=slipway.dev/slipway kubernetes='(sigs\.)?k8s\.io/' sdk='github\.com/aws/' failed=0

# check PACKAGES never|only PATTERN: none, or all, of what they reach outside the standard library begins like this.
check() {
  local reached wrong
  reached=$(go list -deps -f '{{if not .Standard}}{{.ImportPath}}{{end}}' "./$1")
  case $2 in
    never) wrong=$(grep -E "^($3)" <<<"$reached" || true) ;;
    only) wrong=$(grep -vE "^($3)" <<<"$reached" || true) ;;
  esac
  [ -z "$wrong" ] || { sed "s|^|$1 must not reach |" <<<"$wrong" >&2; failed=1; }
}

check api/...               never "$ours/(controllers|internal|cmd)|$sdk"
check internal/rollout/...  only  "$ours/internal/rollout"
check internal/cloud/...    only  "$ours/internal/(rollout|cloud)"
check internal/awscloud/... never "$ours/(api|controllers|internal/localaws)|$kubernetes"
check internal/localaws/... never "$ours/(api|controllers|internal/(rollout|cloud|awscloud|controlplane))|$sdk|$kubernetes"
check controllers/...       never "$ours/internal/(awscloud|localaws)|$sdk"

# The standard library has doors to the outside too, and the core uses none of them.
wrong=$(go list -f '{{join .Imports "\n"}}' ./internal/rollout/... | grep -xE 'context|io(/.*)?|log(/.*)?|math/rand.*|net(/.*)?|os(/.*)?|sync(/.*)?' || true)
[ -z "$wrong" ] || { sed 's|^|internal/rollout must not import |' <<<"$wrong" >&2; failed=1; }
exit "$failed"
