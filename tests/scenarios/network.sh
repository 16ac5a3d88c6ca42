#!/usr/bin/env bash
# What a build can reach: the internet, but not this machine's own services; or nothing.
. "$(dirname "$0")/lib.sh"

configure 'build.environment.GREETING = "hello from the operator"'
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=slipway-test \
    -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
configure "build.ca_certificates = \"$work/ca.pem\""
start_server
use_tiny_stack

# Something on this machine's loopback and on each of its addresses, as a database would be.
secret_port=$(free_port)
mkdir "$work/secret"
echo 'the crown jewels' >"$work/secret/index.html"
python3 -m http.server --bind 127.0.0.1 --directory "$work/secret" "$secret_port" >"$work/secret.log" 2>&1 &
secret=$!
trap 'kill $secret; clean_up' EXIT
wait_until 20 'the service answers' curl -fs -o /dev/null "http://127.0.0.1:$secret_port/"

# Every address that could lead back here, on the ports of that service, the door and the registry.
addresses="127.0.0.1 localhost ::1 0.0.0.0 10.0.2.2 10.0.2.3 $(hostname -I)"
script_app prober <<BUILD
reach() { timeout 3 bash -c "exec 3<>/dev/tcp/\$1/\$2" 2>/dev/null && echo "REACHED \$1 port \$2" || true; }
for address in $addresses; do
    for port in $secret_port $ssh_port ${registry##*:}; do reach "\$address" "\$port"; done
done
reach 169.254.169.254 80
if grep @ /proc/net/unix; then echo "REACHED abstract sockets"; fi
echo "probed all"
BUILD

check 'no service of the machine can be reached from a build, nor a metadata service' '
    for address in $addresses; do
        timeout 3 bash -c "exec 3<>/dev/tcp/$address/$secret_port" && echo "from here: $address" || true
    done
    push prober
    expect "probed all" "$work/prober.push"
    refute "REACHED" "$work/prober.push"
'
check 'the internet can be reached' '
    host=deb.debian.org
    curl -fsS --max-time 20 -o /dev/null "http://$host/" || { echo "this machine cannot reach $host itself"; exit 0; }
    script_app surfer <<<"timeout 20 bash -c '"'"'exec 3<>/dev/tcp/$host/80; echo HEAD / HTTP/1.0 >&3; echo >&3; head -n 1 <&3'"'"'"
    push surfer
    expect "remote:        HTTP/1" "$work/surfer.push"
'
check 'the operator'"'"'s variables and certificates reach the buildpacks' '
    script_app curious <<"BUILD"
echo "greeting: $GREETING"
for v in SSL_CERT_FILE NODE_EXTRA_CA_CERTS CURL_CA_BUNDLE; do eval "echo $v=\$$v"; done
cat "$SSL_CERT_FILE" | tail -n 20 | md5sum
BUILD
    push curious
    expect "greeting: hello from the operator" "$work/curious.push" # which is no secret
    expect "SSL_CERT_FILE=/" "$work/curious.push"
'
check 'none of it is in the image' '
    skopeo --insecure-policy copy --quiet --src-tls-verify=false \
        "docker://$(image_reference curious)" "oci:$work/layout:app"
    umoci unpack --image "$work/layout:app" "$work/bundle"
    ! grep -rl "hello from the operator" "$work/bundle" || fail "the variable is in the image"
'
check 'a build is an ordinary user without capabilities, with a read-only root' '
    script_app who <<"BUILD"
id
grep -E "^(CapEff|CapBnd|CapPrm|NoNewPrivs|Seccomp):" /proc/self/status
touch /usr/marker 2>&1 || true
touch /etc/marker 2>&1 || true
mount -t tmpfs tmpfs /tmp 2>&1 || true
mknod /tmp/sda b 8 0 2>&1 || true
dmesg 2>&1 | head -n 2 || true
ls /proc | grep -c "^[0-9]" | sed "s/^/processes: /"
hostname
BUILD
    push who
    expect "uid=1000.*gid=1000" "$work/who.push"
    expect "CapEff:.*0000000000000000" "$work/who.push"
    expect "CapBnd:.*0000000000000000" "$work/who.push"
    expect "NoNewPrivs:.*1" "$work/who.push"
    expect "Seccomp:.*2" "$work/who.push"
    expect "touch: /usr/marker: Read-only" "$work/who.push"
    expect "mount: .*(denied|permitted)" "$work/who.push"
    expect "mknod: .*(denied|permitted)" "$work/who.push"
'
stop_server
configure 'sandbox.network = "none"'
start_server
check 'the operator can turn the network off' '
    cat >"$work/prober/build.sh" <<"BUILD"
if ip -o addr | grep -v " lo " | grep inet; then echo HAS-ADDRESS; fi
if timeout 5 bash -c "exec 3<>/dev/tcp/deb.debian.org/80"; then echo REACHED; fi
echo alone
BUILD
    commit prober offline
    push prober
    expect "alone" "$work/prober.push"
    refute "REACHED|HAS-ADDRESS" "$work/prober.push"
'

finish
