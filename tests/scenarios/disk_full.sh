#!/usr/bin/env bash
# The disk of the server is full: pushes are refused with words, nothing breaks, and with space
# again everything goes on without a restart.
. "$(dirname "$0")/lib.sh"

mkdir -p "$state"
mount -t tmpfs -o size=160m,mode=755 tmpfs "$state" || skip_all "no right to mount a small disk here"
trap 'status=$?; stop_server; umount -l "$state"; (exit $status); clean_up' EXIT
configure 'build.free_space = "1M"'
start_server
use_tiny_stack
script_app hello <<<'echo fine'
push hello >/dev/null 2>&1

fill_disk() { # KIBIBYTES-LEFT
    local free
    free=$(df -k --output=avail "$state" | tail -n 1)
    head -c $(((free - $1) * 1024)) /dev/zero >"$state/filler"
}

check 'a build that fills the disk is refused with words' '
    fill_disk 8000
    printf "dd if=/dev/urandom of=big bs=1M count=40\n" >"$work/hello/build.sh"
    commit hello big
    refused_push hello
    expect "^remote:  !     .*([Ss]pace|disk)|No space left" "$work/hello.push"
    same "$(remote_head hello)" "$(git -C "$work/hello" rev-parse main~1)"
'
check 'on a full disk a push is refused with words and the server stays' '
    rm -f "$state/filler"
    fill_disk 300
    refused_push hello
    expect "[Ss]pace|disk|unpack" "$work/hello.push"
    kill -0 "$server_pid"
    slipway --json apps list | jq -e ".apps | length == 1"
'
check 'with space again the next push works, without a restart' '
    rm -f "$state/filler"
    echo "echo small" >"$work/hello/build.sh"
    commit hello small
    push hello
    expect "sha256:[0-9a-f]{64}" "$work/hello.push"
    slipway --json builds list | jq -e "[.builds[].state] | index(\"running\") == null"
'
stop_server
extra_config='build.free_space = "10G"'
start_server
check 'too little free space is told before anything is built' '
    commit hello later
    refused_push hello
    expect "[Ss]pace" "$work/hello.push"
'

finish
