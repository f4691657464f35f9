#!/usr/bin/env bash
# Says how to get the aws command line where it is missing. `check-awscli.sh install` gets it, where that is possible unasked: for root,
# on a machine with apt.
set -euo pipefail
! command -v aws >/dev/null || exit 0
if [ "${1:-}" = install ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing awscli, for make test-awscli"
  apt-get update -qq
  exec apt-get install -y -qq --no-install-recommends awscli
fi
echo "missing: aws, the command line of AWS, which make test-awscli drives the local AWS with" >&2
echo "install it with: apt-get install -y awscli" >&2
exit 1
