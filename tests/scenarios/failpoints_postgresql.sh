#!/usr/bin/env bash
# The crashes of failpoints.sh with the server on a real PostgreSQL.
on=postgresql
: "${SLIPWAY_KILLS:=3}"
. "$(dirname "$0")/failpoints.sh"
