#!/usr/bin/env bash
# What sanitizers found in the programs that tests started (sanitizer_options.cpp), a file each.
#
#   sanitizer_reports.sh empty DIRECTORY     before the tests
#   sanitizer_reports.sh check DIRECTORY     after them: shows the files and fails if there are any
set -euo pipefail
directory=$2
case $1 in
    empty)
        rm -rf "$directory"
        mkdir -p "$directory"
        chmod 1777 "$directory" # slipway-ssh runs as another user
        ;;
    check)
        found=0
        for report in "$directory"/*; do
            [ -f "$report" ] || continue
            found=1
            echo "--- ${report##*/}, of $(date -r "$report" +%T)"
            cat "$report"
        done
        exit "$found"
        ;;
    *) exit 2 ;;
esac
