#!/usr/bin/env bash
# Fails where a generated file differs from what its source says now. Generates into a temporary folder: the tree is not touched.
set -euo pipefail
cd "$(dirname "$0")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
failed=0

same() { # COMMITTED FRESH
  diff -ruN "$1" "$2" || { echo "$1 is not up to date: run 'make generate manifests'" >&2; failed=1; }
}

make --no-print-directory generate-into DIR="$fresh"
same api/v1alpha1/zz_generated.deepcopy.go "$fresh/object/zz_generated.deepcopy.go"
same config/crd/bases "$fresh/crd"
same config/rbac/role.yaml "$fresh/rbac/role.yaml"
for part in $(ls -d charts/slipway/templates/*/ "$fresh"/templates/*/ | xargs -n1 basename | sort -u); do
  same "charts/slipway/templates/$part" "$fresh/templates/$part"
done
same docs/api.md "$fresh/api.md"
same internal/controlplane/module/go.mod.txt hack/controlplane/go.mod
same internal/controlplane/module/go.sum.txt hack/controlplane/go.sum
exit "$failed"
