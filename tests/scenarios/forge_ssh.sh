#!/usr/bin/env bash
# A forge that is reached over SSH: the server's own deploy key against a real sshd, whose host key
# must be the one of the first day. And what the command line shows of webhooks, before and after the
# keys that seal their secrets were changed.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/webhooks_lib.sh"

sshd=$(command -v sshd || ls /usr/sbin/sshd 2>/dev/null) || skip_all 'there is no sshd'
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd # where root's sshd locks up what reads the network
mkdir -p "$forge"
sshd_pid=
forge_port=$(free_port)
forge_user=$(id -un)
clone_url() { echo "ssh://$forge_user@127.0.0.1:$forge_port/$1.git"; } # OWNER/REPO

# As a forge does: whatever is asked, one program answers, and reads one directory.
cat >"$work/forge-shell" <<SHELL
#!/bin/sh
echo "\$SSH_ORIGINAL_COMMAND" >>"$work/asked"
path=\${SSH_ORIGINAL_COMMAND#"git-upload-pack '/"}
case \$path in
    *..*) exit 1 ;;
    "\$SSH_ORIGINAL_COMMAND") echo 'only git reads here' >&2; exit 1 ;;
esac
exec git-shell -c "git-upload-pack '$forge/\${path%\'}'"
SHELL
chmod 755 "$work/forge-shell"
: >"$work/authorized_keys"
for name in first second; do ssh-keygen -q -t ed25519 -N '' -f "$work/host.$name"; done
ssh-keygen -q -t ecdsa -N '' -f "$work/host.third"

sshd_answers() { ssh-keyscan -T 1 -p "$forge_port" 127.0.0.1 2>/dev/null | grep -q .; }
start_sshd() { # HOST-KEY
    cat >"$work/sshd_config" <<CONFIG
ListenAddress 127.0.0.1:$forge_port
HostKey $work/host.$1
AuthorizedKeysFile $work/authorized_keys
StrictModes no
UsePAM no
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AcceptEnv GIT_PROTOCOL
LogLevel VERBOSE
CONFIG
    "$sshd" -D -E "$work/sshd.log" -f "$work/sshd_config" &
    sshd_pid=$!
    wait_until 20 'the sshd answers' sshd_answers
}
stop_sshd() {
    kill "$sshd_pid" 2>/dev/null || true
    wait "$sshd_pid" 2>/dev/null || true
}
trap 'stop_sshd; clean_up' EXIT
welcome_key_of() { # APP: what the forge's people do with the public half
    jq -r .ssh_public_key "$work/$1.hook" |
        sed "s|^|command=\"$work/forge-shell\",restrict |" >>"$work/authorized_keys"
}
push_to_forge() { # APP DELIVERY: a commit of the branch, told to the server; its name in $work/commit
    forge_commit owner/app "$2" >"$work/commit"
    recorded_push owner/app refs/heads/main "$(cat "$work/commit")" >"$work/push.json"
    deliver "$1" "$work/push.json" "$2"
    same "$(status)" 202
}
refused_because() { # APP REGEX: the build of $work/commit
    wait_until 60 "the build is refused" built_commit "$1" "$(cat "$work/commit")" refused
    last_build "$1" ".reason" >"$work/reason"
    expect "$2" "$work/reason"
    slipway builds log "$(last_build "$1" .build)" >"$work/log"
    expect "$2" "$work/log"
}

start_sshd first
configure "network.allowed_private_hosts = [\"127.0.0.1:$forge_port\", \"127.0.0.1:1\"]"
configure 'webhooks.check_interval = "0s"'
start_server
use_tiny_stack
forge_repository owner/app
slipway apps create hello >/dev/null
slipway --json webhooks add hello --github owner/app --clone-url "$(clone_url owner/app)" \
    --deploy-key --api-url "http://127.0.0.1:1/" >"$work/hello.hook"
hook_id=$(hook hello id)

check 'a webhook with a deploy key shows its public half and the fingerprint of the host, to be compared' '
    jq -e ".ssh_public_key | startswith(\"ssh-ed25519 \")" "$work/hello.hook"
    fingerprint=$(ssh-keygen -l -f "$work/host.first.pub" | cut -d " " -f 2)
    jq -e --arg print "$fingerprint" ".host_keys | length == 1 and (.[0] | contains(\$print))" "$work/hello.hook"
    slipway webhooks info hello "$hook_id" >"$work/shown"
    expect "^Deploy key: +ssh-ed25519 " "$work/shown"
    grep -F -- "$fingerprint" "$work/shown" | grep -q "^Host key: " || fail "no host key is shown"
    expect "^Cloned from: +$(clone_url owner/app)$" "$work/shown"
    refute "PRIVATE KEY|$(hook hello secret)" "$work/shown"
'
check 'as long as the forge does not know the key, the build says whose key to add where' '
    push_to_forge hello d1
    refused_because hello "does not take the webhook.s deploy key"
    slipway --json builds list --app hello | jq -r ".builds[0].hint" >"$work/hint"
    expect "slipway webhooks info" "$work/hint"
'
welcome_key_of hello
check 'a delivery leads to a commit over SSH, and to a digest' '
    push_to_forge hello d2
    wait_until 60 "the build is published" built_commit hello "$(cat "$work/commit")" published
    last_build hello .digest | grep -qE "^sha256:[0-9a-f]{64}$"
    same "$(sort -u "$work/asked")" "git-upload-pack '\''/owner/app.git'\''"
    grep "Accepted publickey " "$work/sshd.log" |
        grep -qF -- "$(hook hello ssh_public_key | ssh-keygen -l -f - | cut -d " " -f 2)" || fail "another key opened it"
'
check 'the private half lies open in no file' '
    for file in $(grep -rlaE "OPENSSH PRIVATE KEY" "$state" "$work/server.log"); do
        [[ $file == "$state"/host_keys/* ]] || fail "a private key lies open in $file"
    done
    [ -z "$(find "$state/run" -name "git-*" -o -name "key-*" | head -n 1)" ]
'
check 'a repository that is not there is named, and no token is spoken of' '
    slipway apps create nowhere >/dev/null
    slipway --json webhooks add nowhere --github owner/app --clone-url "$(clone_url owner/gone)" \
        --deploy-key --api-url "http://127.0.0.1:1/" >"$work/nowhere.hook"
    welcome_key_of nowhere
    deliver nowhere "$work/push.json" n1
    wait_until 60 "the build is refused" built nowhere refused
    last_build nowhere ".reason + \" \" + .hint" >"$work/reason"
    expect "no git repository at $(clone_url owner/gone) that the webhook.s deploy key opens" "$work/reason"
    refute "token" "$work/reason"
'

stop_sshd
start_sshd second
check 'a host that shows another key is not believed: nothing is asked of it' '
    : >"$work/asked"
    : >"$work/sshd.log"
    push_to_forge hello d3
    refused_because hello "shows another key than when the webhook was added"
    [ ! -s "$work/asked" ]
    refute "Accepted" "$work/sshd.log"
'
stop_sshd
start_sshd third
check 'nor one that shows a key of another type' '
    push_to_forge hello d4
    refused_because hello "shows another key than when the webhook was added"
    refute "Accepted" "$work/sshd.log"
'
stop_sshd
start_sshd first
check 'with the key of the first day it is called again' '
    push_to_forge hello d5
    wait_until 60 "the build is published" built_commit hello "$(cat "$work/commit")" published
'
check 'where nobody answers a webhook is not added, and the reason is said' '
    must_fail slipway webhooks add hello --github owner/app --deploy-key \
        --clone-url "ssh://$forge_user@127.0.0.1:9/owner/app.git" >"$work/said" 2>&1
    expect "127\.0\.0\.1" "$work/said"
    expect "network.allowed_private_hosts" "$work/said"
'

# ---------------------------------------------------------------- the keys that seal

slipway config set hello GREETING=good-morning-to-all >/dev/null
key_before=$(cat "$state/secrets.key")
check 'after slipway config rotate-key all secrets can be read, and the old key is gone' '
    slipway config rotate-key >"$work/said"
    [ -s "$work/said" ]
    same "$(wc -l <"$state/secrets.key")" 1
    must_fail grep -qF -- "$key_before" "$state/secrets.key"
    same "$(slipway config get hello GREETING)" good-morning-to-all
'
check 'the same webhook verifies with the secret of the first day, and its deploy key opens the forge' '
    push_to_forge hello d6
    wait_until 60 "the build is published" built_commit hello "$(cat "$work/commit")" published
    deliver_signed hello "$work/push.json" d7 "sha256=$(printf %064d 0)"
    same "$(status)" 401
'
check 'so it is after a start with the new key alone; with the old one in its place nothing opens' '
    stop_server
    start_server
    same "$(slipway config get hello GREETING)" good-morning-to-all
    push_to_forge hello d8
    wait_until 60 "the build is published" built_commit hello "$(cat "$work/commit")" published
    stop_server
    cp "$state/secrets.key" "$work/secrets.key.new"
    (umask 077 && echo "$key_before" >"$state/secrets.key")
    start_server
    must_fail slipway config get hello GREETING >"$work/said" 2>&1
    refute good-morning-to-all "$work/said"
    stop_server
    cat "$work/secrets.key.new" >"$state/secrets.key"
    start_server
    same "$(slipway config get hello GREETING)" good-morning-to-all
'
server_pid=$(jq -r .pid "$state/run/server.json")
finish
