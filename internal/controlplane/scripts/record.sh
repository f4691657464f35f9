#!/bin/sh
echo $$ >"$0.pid" && exec "${0%/*}/assets/${0##*/}" "$@"
