#!/usr/bin/env bash
# Who may come in at the SSH door, and what they may ask for.
. "$(dirname "$0")/lib.sh"

configure 'ssh.login_timeout = "3s"'
start_server
use_tiny_stack
script_app hello <<<'echo fine'
script_app other <<<'echo fine'
add_key guest --app other
make_key stranger
make_key rsa rsa

check 'a key that nobody added is refused' '
    must_fail ssh_as stranger "git-receive-pack hello.git" </dev/null >"$work/out" 2>&1
    expect "[Pp]ermission denied" "$work/out"
    PUSH_AS=stranger refused_push hello
    same "$(remote_head hello)" ""
'
check 'a password is not asked for' '
    must_fail ssh -F none -o PubkeyAuthentication=no -o BatchMode=yes -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null -p "$ssh_port" git@127.0.0.1 >"$work/out" 2>&1
    expect "Permission denied \(publickey\)" "$work/out"
'
check 'an RSA key is good when it signs with SHA-2' '
    slipway keys add rsa "$work/rsa.key.pub"
    PUSH_AS=rsa push hello
'
check 'a key that was offered but not proved gives nothing, nor does any other trick' '
    mkdir "$work/keys"
    for name in ann bob stranger; do
        make_key "$name"
        cp "$work/$name.key" "$work/keys/$name"
    done
    slipway keys add ann "$work/ann.key.pub"
    slipway keys add bob "$work/bob.key.pub" --app other
    "$bin/ssh-tricks" "$ssh_port" "$work/keys"
'
check 'an unknown app and one without access give the same answer' '
    must_fail ssh_as guest "git-receive-pack hello.git" </dev/null >"$work/denied" 2>&1
    must_fail ssh_as guest "git-receive-pack never.git" </dev/null >"$work/unknown" 2>&1
    [ -s "$work/denied" ]
    same "$(sed "s/hello/APP/g" "$work/denied")" "$(sed "s/never/APP/g" "$work/unknown")"
'
check 'a key for one app pushes to that app' '
    PUSH_AS=guest push other
    PUSH_AS=guest refused_push hello main:main
'
check 'ssh -T says hello and what to do, and ends' '
    ssh_as dev -T </dev/null >"$work/out" 2>&1 || true
    expect "git push" "$work/out"
    expect "dev" "$work/out"
'
check 'no shell, no terminal, no other command' '
    must_fail ssh_as dev "cat /etc/passwd" </dev/null >"$work/out" 2>&1
    refute "root:" "$work/out"
    must_fail ssh_as dev -tt "bash -i" </dev/null >"$work/out" 2>&1
    must_fail ssh_as dev "git-receive-pack hello.git; id" </dev/null >"$work/out" 2>&1
    refute "uid=" "$work/out"
    must_fail ssh_as dev "git-receive-pack --help" </dev/null >"$work/out" 2>&1
    must_fail ssh_as dev "git-upload-archive hello.git" </dev/null >"$work/out" 2>&1
'
check 'a path cannot leave the apps' '
    for path in ../hello.git ./hello.git hello.git/../other.git "$state/repositories/hello.git" \
        "--upload-pack=id" "hello.git/hooks" "HELLO.git" "hello.git.git"; do
        ! ssh_as guest "git-receive-pack $path" </dev/null >"$work/out" 2>&1 || fail "$path opened"
    done
'
check 'no sftp and no forwarding' '
    must_fail sftp -F none -b /dev/null -i "$work/dev.key" -o IdentitiesOnly=yes -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null -P "$ssh_port" git@127.0.0.1 >"$work/out" 2>&1
    must_fail ssh_as dev -o ExitOnForwardFailure=yes -R 0:127.0.0.1:1 -T </dev/null >"$work/out" 2>&1
    expect "forward" "$work/out"
'
check 'the environment of a client does not reach git' '
    GIT_TRACE=$work/trace GIT_DIR=/nowhere ssh_as dev -o SendEnv=GIT_TRACE -o SendEnv=GIT_DIR \
        "git-upload-pack hello.git" </dev/null >"$work/out" 2>&1 || true
    [ ! -e "$work/trace" ]
    refute "nowhere" "$work/out"
'
check 'protocol version 2 of git works' '
    GIT_TRACE_PACKET=1 GIT_SSH_COMMAND="$(ssh_command dev) -o SendEnv=GIT_PROTOCOL" \
        git -c protocol.version=2 ls-remote "$(app_url hello)" >"$work/out" 2>&1
    expect "version 2" "$work/out"
'
check 'only modern algorithms are offered' '
    export SSH_LOG=INFO
    for old in KexAlgorithms=diffie-hellman-group14-sha1 Ciphers=aes128-cbc Ciphers=aes128-ctr \
        KexAlgorithms=ecdh-sha2-nistp256 HostKeyAlgorithms=ssh-rsa; do
        must_fail ssh_as dev -o "$old" -T </dev/null >"$work/out" 2>&1
        expect "no matching (key exchange|cipher|host key)" "$work/out"
    done
'
check 'a connection that does not log in is closed' '
    exec 5<>"/dev/tcp/127.0.0.1/$ssh_port"
    timeout 20 cat <&5 >/dev/null || fail "still open after 20 s"
'
check 'the door still answers after twenty silent connections' '
    for _ in $(seq 20); do
        timeout 10 bash -c "exec 5<>/dev/tcp/127.0.0.1/$ssh_port; cat <&5 >/dev/null" &
    done
    wait
    same "$(remote_head other)" "$(git -C "$work/other" rev-parse main)"
'
check 'a crowd of silent connections from one address is turned away, and the door answers again' '
    python3 - "$ssh_port" <<"PYTHON"
import socket, sys
crowd = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(60)]
for connection in crowd:
    connection.settimeout(20)
greetings = [connection.recv(64) for connection in crowd]
served = sum(greeting.startswith(b"SSH-2.0") for greeting in greetings)
refused = sum(b"Too many log-ins" in greeting for greeting in greetings)
print(served, "served,", refused, "turned away")
# On a slow machine the first ones are gone before the last ones come.
sys.exit(not (served > 0 and refused > 0 and served + refused == 60))
PYTHON
    wait_until 20 "the door answers" ssh_as dev -T
'
check 'a key that was removed is refused from then on' '
    slipway keys remove rsa
    ! PUSH_AS=rsa ssh_as rsa -T </dev/null >"$work/out" 2>&1 || fail "still let in"
    expect "[Pp]ermission denied" "$work/out"
'

finish
