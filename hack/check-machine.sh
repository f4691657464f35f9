#!/usr/bin/env bash
# Names what this machine lacks, before minutes are spent on building what cannot work without it.
set -euo pipefail

missing=() packages=()
lacks() { # NAME APT-PACKAGES…
  missing+=("$1")
  packages+=("${@:2}")
}

command -v git >/dev/null || lacks git git
command -v make >/dev/null || lacks make make
# The race detector needs cgo: a C compiler and the C library's headers, not only a compiler's name.
printf '#include <pthread.h>\nint main(void) { return 0; }\n' | ${CC:-gcc} -x c -o /dev/null - 2>/dev/null ||
  lacks "a C compiler with its headers (${CC:-gcc})" gcc libc6-dev
if ((${#missing[@]})); then
  printf 'missing: %s\n' "${missing[@]}" >&2
  echo "install it with: apt-get install -y ${packages[*]}" >&2
fi

if ! command -v go >/dev/null; then
  missing+=(go)
  echo "missing: Go, the version that go.mod names or newer, from https://go.dev/dl" >&2
fi
((${#missing[@]} == 0))
