#!/usr/bin/env bash
# Fixture: the small stack, which needs no server.
set -euo pipefail
mkdir -p "$SLIPWAY_BUILD_DIR/scenarios"
exec "$(dirname "$0")/tiny_stack.sh" "$SLIPWAY_BUILD_DIR/scenarios/tiny"
