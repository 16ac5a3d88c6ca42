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
python3 -m http.server --directory "$work/secret" "$secret_port" >"$work/secret.log" 2>&1 &
secret=$!
trap 'kill $secret; clean_up' EXIT
wait_until 20 'the service answers' curl -fs -o /dev/null "http://127.0.0.1:$secret_port/"

addresses='127.0.0.1 localhost 10.0.2.2 10.0.2.3 169.254.169.254 0.0.0.0'
script_app prober <<BUILD
for address in $addresses; do
    if wget -q -T 3 -O - "http://\$address:$secret_port/" 2>/dev/null | grep -q jewels; then
        echo "REACHED \$address"
    fi
done
if wget -q -T 3 -O - "http://[::1]:$secret_port/" 2>/dev/null | grep -q jewels; then echo "REACHED ::1"; fi
if wget -q -T 3 -O - "http://169.254.169.254/" >/dev/null 2>&1; then echo "REACHED metadata"; fi
for port in $ssh_port ${registry##*:}; do
    for address in $addresses; do
        if nc -w 2 "\$address" "\$port" </dev/null >/dev/null 2>&1; then echo "REACHED \$address:\$port"; fi
    done
done
ls /tmp /run /proc/net/unix 2>/dev/null
cat /proc/net/unix | grep -v Num || true
echo "probed all"
BUILD

check 'the loopback services of the machine cannot be reached from a build' '
    push prober
    expect "probed all" "$work/prober.push"
    refute "REACHED" "$work/prober.push"
    refute "GET" "$work/secret.log.after" 2>/dev/null || true
'
check 'the internet can be reached' '
    host=deb.debian.org
    curl -fsS --max-time 20 -o /dev/null "http://$host/" || { echo "this machine cannot reach $host itself"; exit 0; }
    script_app surfer <<<"wget -q -T 20 -O /dev/null http://$host/ && echo REACHED $host"
    push surfer
    expect "REACHED $host" "$work/surfer.push"
'
check 'the operator'"'"'s variables and certificates reach the buildpacks' '
    script_app curious <<"BUILD"
echo "greeting: $GREETING"
for v in SSL_CERT_FILE NODE_EXTRA_CA_CERTS CURL_CA_BUNDLE; do eval "echo $v=\$$v"; done
cat "$SSL_CERT_FILE" | tail -n 20 | md5sum
BUILD
    push curious
    expect "greeting: hello from the operator" "$work/curious.push"
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
    printf "ip addr show 2>/dev/null | grep -v \"lo\\|inet6\\? \\(127\\|::1\\)\" | grep inet && echo HAS-ADDRESS\nwget -q -T 5 -O /dev/null http://deb.debian.org/ && echo REACHED\necho alone\n" >"$work/prober/build.sh"
    commit prober offline
    push prober
    expect "alone" "$work/prober.push"
    refute "REACHED|HAS-ADDRESS" "$work/prober.push"
'

finish
