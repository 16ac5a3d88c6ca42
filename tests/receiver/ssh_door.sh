#!/usr/bin/env bash
# The SSH door with real git and ssh clients, against test-door in the daemon's place.
# Usage: ssh_door.sh BIN_DIRECTORY
set -u
bin=$(realpath "$1")
work=$(mktemp -d)
failures=0
doors=()

cleanup() {
    for pid in "${doors[@]}"; do kill "$pid" 2>/dev/null; done
    wait 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT

# A server that runs as root runs its doors as somebody else; so does this test when it can.
run_as=()
if [ "$(id -u)" = 0 ]; then
    run_as=(--run-as 65534)
    chmod 755 "$work"
    # The build directory may be root's alone.
    mkdir "$work/bin"
    cp -a "$bin"/{slipway-ssh,slipway-hook,test-door,ssh-tricks,hooks} "$work/bin/"
    bin="$work/bin"
fi

export HOME="$work/home" GIT_CONFIG_NOSYSTEM=1 LC_ALL=C.UTF-8
export GIT_AUTHOR_NAME=Ann GIT_AUTHOR_EMAIL=ann@example.org
export GIT_COMMITTER_NAME=Ann GIT_COMMITTER_EMAIL=ann@example.org
mkdir -p "$HOME"
git config --global init.defaultBranch main
git config --global advice.detachedHead false

# --- the stage -----------------------------------------------------------------------------------

state="$work/state"
mkdir -p "$state/apps"
for key in ann bob stranger; do ssh-keygen -q -t ed25519 -N '' -f "$work/$key"; done
ssh-keygen -q -t rsa -b 2048 -N '' -f "$work/rsa"
ssh-keygen -q -t ed25519 -N '' -f "$state/host_ed25519"
ssh-keygen -q -t rsa -b 2048 -N '' -f "$state/host_rsa"
fingerprint() { ssh-keygen -lf "$work/$1.pub" | cut -d' ' -f2; }
{
    echo "$(fingerprint ann) ann *"
    echo "$(fingerprint bob) bob shop"
    echo "$(fingerprint rsa) rsa *"
} >"$state/keys"

make_app() {
    git init -q --bare "$state/apps/$1.git"
    [ "$(id -u)" = 0 ] && chown -R 65534:65534 "$state/apps/$1.git"
    return 0
}

start_door() { # state, arguments for test-door
    local where=$1
    shift
    "$bin/test-door" "$where" "${run_as[@]}" "$@" 2>>"$work/door.log" &
    doors+=($!)
    wait_for test -s "$where/port"
}

# Waits for a condition that another process brings about; gives up loudly.
wait_for() {
    local tries=400
    until "$@" 2>/dev/null; do
        tries=$((tries - 1))
        if [ $tries = 0 ]; then
            echo "gave up waiting for: $*"
            return 1
        fi
        sleep 0.05
    done
}

run_ssh() { # key, then ssh's arguments
    local key=$1
    shift
    timeout --foreground 60 ssh -F none -i "$work/$key" -o IdentitiesOnly=yes -o BatchMode=yes \
        -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile="$work/known" -o LogLevel=ERROR \
        -p "$port" "$@"
}
as() { # key, command...: git's ssh uses this key
    local key=$1
    shift
    GIT_SSH_COMMAND="ssh -F none -i $work/$key -o IdentitiesOnly=yes -o BatchMode=yes \
        -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=$work/known -o LogLevel=ERROR \
        ${ssh_extra:-}" timeout 60 "$@"
}
url() { echo "ssh://git@127.0.0.1:$port/$1.git"; }
tip() { git -C "$state/apps/$1.git" -c safe.directory='*' rev-parse -q --verify "refs/heads/${2:-main}"; }
objects() { find "$state/apps/$1.git/objects" -type f | sort; }

new_commit() { # repository, text
    echo "$2" >"$1/file"
    git -C "$1" add file
    git -C "$1" commit -q -m "$2"
}

scenario() { echo "# $1"; }
expect() { # what, condition...
    local what=$1
    shift
    if "$@"; then
        echo "ok - $what"
    else
        echo "NOT OK - $what"
        [ -s "$work/out" ] && sed 's/^/    | /' "$work/out"
        failures=$((failures + 1))
    fi
}
says() { grep -qF -- "$1" "$work/out"; }
not() { ! "$@"; }
same() { [ "$1" = "$2" ]; }

start_door "$state"
port=$(cat "$state/port")
make_app shop
make_app secret
repo="$work/repo"
git init -q "$repo"
new_commit "$repo" one

# --- pushes --------------------------------------------------------------------------------------

scenario "a push to main is taken"
as ann git -C "$repo" push "$(url shop)" main >"$work/out" 2>&1
expect "exit code 0" same $? 0
expect "the ref is there" same "$(tip shop)" "$(git -C "$repo" rev-parse HEAD)"
expect "the pusher sees the daemon's line" says "remote: -----> Received"
expect "the worker may read the quarantine" says "quarantine 755"

scenario "a second push, a push of nothing, and a forced one"
new_commit "$repo" two
as ann git -C "$repo" push "$(url shop)" main >"$work/out" 2>&1
expect "one commit more" same "$(tip shop)" "$(git -C "$repo" rev-parse HEAD)"
as ann git -C "$repo" push "$(url shop)" main >"$work/out" 2>&1
expect "nothing new" says "Everything up-to-date"
git -C "$repo" commit -q --amend -m "two, again"
as ann git -C "$repo" push --force "$(url shop)" main >"$work/out" 2>&1
expect "forced" same "$(tip shop)" "$(git -C "$repo" rev-parse HEAD)"

scenario "master is built too, and a user with one app may push to it"
make_app old
as bob git -C "$repo" push "$(url shop)" main:master >"$work/out" 2>&1
expect "master is there" same "$(tip shop master)" "$(git -C "$repo" rev-parse HEAD)"

scenario "a refused build leaves the repository as it was"
new_commit "$repo" refused
before=$(tip shop)
objects shop >"$work/before"
touch "$state/apps/shop.refuse"
as ann git -C "$repo" push "$(url shop)" main >"$work/out" 2>&1
expect "exit code 1" same $? 1
expect "git says that the hook declined" says "pre-receive hook declined"
rm "$state/apps/shop.refuse"
expect "the ref has not moved" same "$(tip shop)" "$before"
objects shop >"$work/after"
expect "no object was left" cmp -s "$work/before" "$work/after"

scenario "other branches, tags, deletes and several refs"
git -C "$repo" branch -f feature
git -C "$repo" tag -f v1 >/dev/null
as ann git -C "$repo" push "$(url shop)" feature >"$work/out" 2>&1
expect "a branch is refused with the refspec that works" says "git push slipway feature:main"
as ann git -C "$repo" push "$(url shop)" feature:main >"$work/out" 2>&1
expect "that refspec works" same "$(tip shop)" "$(git -C "$repo" rev-parse feature)"
as ann git -C "$repo" push "$(url shop)" v1 >"$work/out" 2>&1
expect "a tag is refused with the refspec that works" says "'v1^{commit}:refs/heads/main'"
as ann git -C "$repo" push "$(url old)" 'v1^{commit}:refs/heads/main' >"$work/out" 2>&1
expect "that refspec works too" same "$(tip old)" "$(git -C "$repo" rev-parse v1)"
as ann git -C "$repo" push "$(url shop)" :main >"$work/out" 2>&1
expect "main cannot be deleted" says "The branch main cannot be deleted"
expect "main is still there" same "$(tip shop)" "$(git -C "$repo" rev-parse feature)"
new_commit "$repo" several
as ann git -C "$repo" push "$(url shop)" main feature v1 >"$work/out" 2>&1
expect "several refs are refused by name" says "refs/heads/feature and refs/tags/v1"
as ann git -C "$repo" push "$(url shop)" main main:master >"$work/out" 2>&1
expect "two builds in one push are refused" says "One push makes one build"
expect "and nothing moved" same "$(tip shop)" "$(git -C "$repo" rev-parse feature)"

scenario "shallow"
git clone -q --depth 1 "file://$repo" "$work/shallow" 2>/dev/null
new_commit "$work/shallow" "from a shallow clone"
make_app shallow
as ann git -C "$work/shallow" push "$(url shallow)" main >"$work/out" 2>&1
expect "a shallow push is taken" same "$(tip shallow)" "$(git -C "$work/shallow" rev-parse HEAD)"

scenario "clone"
for version in 0 1 2; do
    as bob git -c protocol.version=$version clone -q "$(url shop)" "$work/clone$version" \
        >"$work/out" 2>&1
    expect "protocol $version" same "$(git -C "$work/clone$version" rev-parse HEAD)" "$(tip shop)"
done
as rsa git ls-remote "$(url shop)" >"$work/out" 2>&1
expect "an RSA key is as good" says "refs/heads/main"

scenario "what the pusher sees"
printf '%s\n' "$(printf 'x%.0s' {1..1000})" "       short" >"$state/apps/shop.lines"
as ann git -C "$repo" push "$(url shop)" main >"$work/out" 2>&1
expect "a line of 1,000 bytes is whole" says "remote: $(printf 'x%.0s' {1..1000})"
expect "so is the one after it" says "remote:        short"
rm "$state/apps/shop.lines"

scenario "a SHA-256 repository is told why"
git init -q --object-format=sha256 "$work/sha256"
new_commit "$work/sha256" one
make_app empty
for app in empty shop; do
    as ann git -C "$work/sha256" push "$(url $app)" main >"$work/out" 2>&1
    expect "exit code not 0 ($app)" not same $? 0
    expect "the reason ($app)" says "hash algorithm"
done
as ann git -C "$repo" push "$(url empty)" main >"$work/out" 2>&1
expect "the same empty app takes SHA-1" same "$(tip empty)" "$(git -C "$repo" rev-parse HEAD)"

# --- the daemon fails ----------------------------------------------------------------------------

scenario "the daemon goes away during a build"
new_commit "$repo" vanish
touch "$state/apps/shop.vanish"
before=$(tip shop)
as ann git -C "$repo" push "$(url shop)" main >"$work/out" 2>&1
expect "exit code 1" same $? 1
expect "the pusher is told" says "connection to Slipway was lost"
expect "the ref has not moved" same "$(tip shop)" "$before"
rm "$state/apps/shop.vanish"

scenario "the daemon cannot be reached"
mv "$state/door.sock" "$state/door.away"
as ann git -C "$repo" push "$(url shop)" main >"$work/out" 2>&1
expect "the pusher is told, and not that the key is wrong" says "not reachable right now"
mv "$state/door.away" "$state/door.sock"

scenario "the client is killed during the build"
new_commit "$repo" "killed client"
mkfifo "$state/apps/shop.hold"
[ "$(id -u)" = 0 ] && chmod 666 "$state/apps/shop.hold"
as ann git -C "$repo" push "$(url shop)" main >"$work/killed" 2>&1 &
pusher=$!
wait_for grep -q Received "$work/killed"
children() { # all descendants of a process
    local child
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        children "$child"
        echo "$child"
    done
}
victims="$(children $pusher)"
kill -9 $victims 2>/dev/null
wait $pusher 2>/dev/null
expect "the ref waits for the build" not same "$(tip shop)" "$(git -C "$repo" rev-parse HEAD)"
echo go >"$state/apps/shop.hold"
moved() { same "$(tip shop)" "$(git -C "$repo" rev-parse HEAD)"; }
expect "the build ends and the ref moves" wait_for moved
rm "$state/apps/shop.hold"

# --- who may what --------------------------------------------------------------------------------

scenario "keys"
as stranger git ls-remote "$(url shop)" >"$work/out" 2>&1
expect "an unknown key is denied" says "Permission denied (publickey)"
as bob git ls-remote "$(url secret)" >"$work/out" 2>&1
expect "no access: exit code 128" same $? 128
sed 's/secret/NAME/' "$work/out" >"$work/no-access"
as bob git ls-remote "$(url absent)" >"$work/out" 2>&1
sed 's/absent/NAME/' "$work/out" >"$work/no-app"
expect "an app that does not exist answers the same" cmp -s "$work/no-access" "$work/no-app"
expect "in words" says 'no app "absent"'
as bob git -C "$repo" push "$(url secret)" main >"$work/out" 2>&1
expect "nor may it be pushed to" same "$(tip secret)" ""
run_ssh ann -o PubkeyAuthentication=no -o PreferredAuthentications=password,keyboard-interactive \
    git@127.0.0.1 true >"$work/out" 2>&1
expect "there are no passwords" says "Permission denied (publickey)"

scenario "protocol tricks"
"$bin/ssh-tricks" "$port" "$work" >"$work/out" 2>&1
expect "every trick fails" same $? 0
sed 's/^/    /' "$work/out"

# --- what an SSH client may not do ---------------------------------------------------------------

scenario "no shell"
run_ssh ann -T git@127.0.0.1 >"$work/out" 2>&1
expect "ssh -T: exit code 0" same $? 0
expect "ssh -T: a friendly line" says "Hi ann, you are connected to Slipway"
export -f run_ssh
export work port
SHELL=/bin/bash script -qec 'run_ssh ann git@127.0.0.1' /dev/null </dev/null >"$work/out" 2>&1
expect "with a terminal asked for: the same line" says "Hi ann, you are connected to Slipway"

scenario "hostile commands"
marker="$work/marker"
long=$(printf 'a%.0s' {1..1100})
while IFS= read -r command; do
    run_ssh ann git@127.0.0.1 "$command" </dev/null >"$work/out" 2>&1
    code=$?
    expect "refused: ${command:0:60}" same $code 1
done <<END
id
git-receive-pack
git-receive-pack ''
git-receive-pack 'shop.git' 'secret.git'
git-receive-pack 'shop.git'; touch $marker
git-receive-pack 'shop.git'\$(touch $marker)
git-receive-pack '\`touch $marker\`'
git-receive-pack '../../etc'
git-receive-pack '/../shop.git'
git-receive-pack 'shop.git/../secret.git'
git-receive-pack '--help'
git-receive-pack '-x'
git-receive-pack --upload-pack=touch 'shop.git'
git-receive-pack 'sh'\''op.git'
git-receive-pack "shop.git'
git-receive-pack 'SHOP.git'
git-receive-pack 'shop.git
git-receive-pack  'shop.git'
 git-receive-pack 'shop.git'
git-upload-archive 'shop.git'
git-upload-pack '~/shop.git'
git-upload-pack '$long'
git upload-pack shop.git extra
git config --global core.pager x
scp -t /tmp
env LD_PRELOAD=x git-upload-pack 'shop.git'
END
expect "nothing was executed" not test -e "$marker"

scenario "environment"
mkdir -p "$work/evil"
printf '#!/bin/sh\ntouch %s\n' "$marker" >"$work/evil/pre-receive"
chmod 755 "$work/evil" "$work/evil/pre-receive"
new_commit "$repo" environment
ssh_extra="-o SetEnv=GIT_CONFIG_COUNT=1 -o SendEnv=GIT_CONFIG_*" \
    GIT_CONFIG_KEY_0=core.hooksPath GIT_CONFIG_VALUE_0="$work/evil" \
    as ann git -C "$repo" push "$(url shop)" main >"$work/out" 2>&1
expect "the push is judged as ever" says "Received"
run_ssh ann -o "SetEnv=GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.hooksPath GIT_CONFIG_VALUE_0=$work/evil LD_PRELOAD=/x GIT_PROTOCOL=version=2;x" \
    git@127.0.0.1 "git-upload-pack 'shop.git'" </dev/null >"$work/out" 2>&1
expect "an odd GIT_PROTOCOL is dropped" not says "version 2"
expect "no hook of the client's was run" not test -e "$marker"

scenario "no subsystem, forwarding or second try at either"
run_ssh ann -s git@127.0.0.1 sftp </dev/null >"$work/out" 2>&1
expect "sftp" not same $? 0
run_ssh ann -o ExitOnForwardFailure=yes -N -R 0:127.0.0.1:1 git@127.0.0.1 >"$work/out" 2>&1
expect "remote forwarding" not same $? 0
run_ssh ann -W "127.0.0.1:$port" git@127.0.0.1 </dev/null >"$work/out" 2>&1
expect "local forwarding" not same $? 0
expect "local forwarding carried nothing" not says "SSH-2.0"

scenario "algorithms"
for option in KexAlgorithms=ecdh-sha2-nistp256 KexAlgorithms=diffie-hellman-group14-sha256 \
    Ciphers=aes128-ctr Ciphers=aes128-cbc HostKeyAlgorithms=ssh-rsa; do
    run_ssh ann -o "$option" -T git@127.0.0.1 >"$work/out" 2>&1
    expect "not $option" not same $? 0
done
for option in Ciphers=chacha20-poly1305@openssh.com Ciphers=aes256-gcm@openssh.com \
    HostKeyAlgorithms=rsa-sha2-512 HostKeyAlgorithms=ssh-ed25519 Compression=yes; do
    rm -f "$work/known"
    run_ssh ann -o "$option" -T git@127.0.0.1 >"$work/out" 2>&1
    expect "but $option" same $? 0
done

scenario "a client that never logs in is sent away"
hurried="$work/hurried"
ends_by_itself() { # a reset is an end, too
    timeout 20 cat <&7 >/dev/null 2>&1
    [ $? != 124 ]
}
mkdir -p "$hurried/apps"
cp "$state"/host_* "$state/keys" "$hurried/"
start_door "$hurried" --login-timeout 1
exec 7<>"/dev/tcp/127.0.0.1/$(cat "$hurried/port")"
expect "silence" ends_by_itself
exec 7>&-
exec 7<>"/dev/tcp/127.0.0.1/$(cat "$hurried/port")"
printf 'SSH-2.0-half\r\n' >&7
expect "a banner and no more" ends_by_itself
exec 7>&-
exec 7<>"/dev/tcp/127.0.0.1/$port"
head -c 100000 /dev/urandom >&7 2>/dev/null
expect "noise" ends_by_itself
exec 7>&-

expect "slipway-ssh never crashed" not grep -qiE "signal|AddressSanitizer|terminate called" "$work/door.log"
echo
if [ $failures = 0 ]; then echo "all passed"; else
    echo "$failures failed"
    tail -20 "$work/door.log"
    exit 1
fi
