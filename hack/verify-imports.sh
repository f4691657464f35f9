#!/usr/bin/env bash
# Who may import whom, also by way of something else; tests excepted. .golangci.yaml has the same table and names the line.
set -euo pipefail
cd "$(dirname "$0")/.."
ours=slipway.dev/slipway kubernetes='(sigs\.)?k8s\.io/' sdk='github\.com/aws/' failed=0

# check PACKAGES never|only|ours PATTERN: none, all, or all that is ours, of what they reach outside the standard library
# begins like this.
check() {
  local reached wrong
  reached=$(go list -deps -f '{{if not .Standard}}{{.ImportPath}}{{end}}' "./$1")
  case $2 in
    never) wrong=$(grep -E "^($3)" <<<"$reached" || true) ;;
    only) wrong=$(grep -vE "^($3)" <<<"$reached" || true) ;;
    ours) wrong=$(grep -E "^$ours/" <<<"$reached" | grep -vE "^$ours/($3)(/|$)" || true) ;;
  esac
  [ -z "$wrong" ] || { sed "s|^|$1 must not reach |" <<<"$wrong" >&2; failed=1; }
}

check api/...                   ours  "api"
check api/...                   never "$sdk"
check internal/rollout/...      only  "$ours/internal/rollout"
check internal/cloud/...        only  "$ours/internal/(rollout|cloud)"
check internal/awscloud/...     ours  "internal/(rollout|cloud|awscloud)"
check internal/awscloud/...     never "$kubernetes"
check internal/plan/...         only  "$ours/internal/plan"
check internal/checkup/...      only  "$ours/internal/checkup"
check controllers/...           ours  "api|controllers|internal/(rollout|cloud|plan|checkup)"
check controllers/...           never "$sdk"
check internal/operator/...     ours  "api|controllers|internal/(rollout|cloud|plan|checkup|notify|operator)"
check internal/operator/...     never "$sdk"
check internal/sight/...        ours  "internal/(rollout|cloud|sight)" # rollout by way of cloud
check internal/sight/...        never "$sdk|$kubernetes"
check internal/notify/...       ours  "api|internal/notify"
check internal/notify/...       never "$sdk"
check .                         ours  "api|controllers|internal/(rollout|cloud|awscloud|plan|checkup|notify|operator|sight)" # the manager has no local mode

# What runs Slipway on one machine, for cmd and tests: it stands outside of the manager, as a cluster and AWS do.
check internal/localaws/...     ours  "internal/localaws"
check internal/localaws/...     never "$sdk|$kubernetes"
check internal/controlplane/... ours  "internal/controlplane"
check internal/playground/...   ours  "internal/(controlplane|localaws|playground)"
check internal/laws/...         ours  "api|internal/(rollout|cloud|localaws|laws)" # of cloud the names of tags
check internal/laws/...         never "$sdk"
check internal/demo/...         ours  "api|internal/(rollout|cloud|controlplane|laws|localaws|playground|swap|demo)" # the first two by way of laws
check internal/swap/...         ours  "internal/(localaws|swap)"
check internal/swap/...         never "$sdk|$kubernetes"
check config/iam/...            only  "$ours/config/iam"
check internal/cli/...          ours  "api|config/iam|internal/(plan|checkup|cli)" # the command line tells what the API server and the manager say
check internal/cli/...          never "$sdk"
check internal/playground/...   never "$sdk"
check internal/demo/...         never "$sdk"

# The standard library has doors to the outside too, and the core uses none of them.
wrong=$(go list -f '{{join .Imports "\n"}}' ./internal/rollout/... | grep -xE 'context|io(/.*)?|log(/.*)?|math/rand.*|net(/.*)?|os(/.*)?|sync(/.*)?' || true)
[ -z "$wrong" ] || { sed 's|^|internal/rollout must not import |' <<<"$wrong" >&2; failed=1; }
exit "$failed"
