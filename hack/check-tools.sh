#!/usr/bin/env bash
# Says how to get a program of Debian's where it is missing: check-tools.sh [install] PROGRAM=PACKAGE… With install it is got, where that
# is possible unasked: for root, on a machine with apt.
set -euo pipefail
install=
if [ "${1:-}" = install ]; then
  install=1
  shift
fi
missing=() packages=()
for pair in "$@"; do
  command -v "${pair%%=*}" >/dev/null || { missing+=("${pair%%=*}"); packages+=("${pair#*=}"); }
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ -n "$install" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing ${packages[*]}"
  apt-get update -qq
  exec apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi
echo "missing: ${missing[*]}" >&2
echo "install with: apt-get install -y ${packages[*]}" >&2
exit 1
