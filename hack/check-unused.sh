#!/usr/bin/env bash
# Stops before the definitions are removed while somebody's Releases are there: they would be deleted with them, without
# anybody having been asked, and where no manager runs to take off their finalizers that would never end.
set -euo pipefail
kubectl=${KUBECTL:-kubectl}

left() { # PLURAL COLUMNS: the objects of a kind, a line each; none where its definition is not there
  local defined
  defined=$($kubectl get crd "$1.slipway.dev" --ignore-not-found -o name) || exit 1
  [ -z "$defined" ] || $kubectl get "$1.slipway.dev" -A --no-headers -o "custom-columns=$2"
}

releases=$(left releases NAMESPACE:.metadata.namespace,NAME:.metadata.name,POLICY:.spec.deletionPolicy)
if [ -n "$releases" ]; then
  cat >&2 <<END
There are Releases, and they would be deleted with their definition. What becomes of the servers is what deletionPolicy says, the third column:

$(sed 's/^/  /' <<<"$releases")

Decide that first, and delete them while the manager still runs, for it takes off their finalizers:

  $kubectl delete releases --all -A          # Retain leaves servers where they are; Terminate ends them, production too
  $kubectl delete releaseclasses --all

"Uninstalling" in docs/install.md says what to do where the manager is gone already.
END
  exit 1
fi

classes=$(left releaseclasses NAME:.metadata.name,FINALIZERS:.metadata.finalizers)
classes=$(grep -F slipway.dev/class-in-use <<<"$classes" || true)
if [ -n "$classes" ]; then
  cat >&2 <<END
There are ReleaseClasses with a finalizer, though no Release uses them. A manager that runs takes it off within seconds; without one, deleting them never ends:

$(sed 's/^/  /' <<<"$classes")

If no manager runs any more, take it off by hand:

$(sed -E "s/^([^ ]+).*/  ${kubectl//\//\\/} patch releaseclass \1 --type merge -p '{\"metadata\":{\"finalizers\":null}}'/" <<<"$classes")
END
  exit 1
fi
