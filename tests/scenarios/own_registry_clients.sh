#!/usr/bin/env bash
# The clients that people have, against the registry that the server runs, as other machines see it:
# with a name, and with the certificate of the HTTP API. One that is not installed is said aloud.
. "$(dirname "$0")/lib.sh"

. "$(dirname "$0")/engines_lib.sh"

public=localhost:$(free_port)
http_port=${api##*:}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
    -keyout "$work/key.pem" -out "$work/certificate.pem" 2>/dev/null
chmod 600 "$work/key.pem"
configure "http.tls_certificate = \"$work/certificate.pem\""
configure "http.tls_key = \"$work/key.pem\""
configure "http.url = \"https://localhost:$http_port\""
configure "registry.public_listen = \"127.0.0.1:${public##*:}\""
configure "registry.public_host = \"$public\""
mkdir "$work/certificates"
cp "$work/certificate.pem" "$work/certificates/ca.crt"

start_server
use_tiny_stack
slipway apps create shop --repository acme/shop/web
slipway apps create other
member=$(slipway tokens create member --app shop 2>/dev/null)
stranger=$(slipway tokens create stranger --app other 2>/dev/null)
shop=$public/acme/shop/web

# Which clients there are. In CI each must be one of them.
present() {
    if "$@" >/dev/null 2>&1; then return; fi
    echo "skipped: $1 is not here"
    [ "${CI:-}" != true ] || exit 1
    return 1
}

check 'an app and a push name the registry as people do' '
    same "$(slipway --json apps info shop | jq -r .image)" "$shop:latest"
    add_key dev
    new_repository shop
    echo "echo built" >"$work/shop/build.sh"
    echo "exec httpd -f" >"$work/shop/web.sh"
    commit shop first
    push shop
    expect "$shop@sha256:" "$work/shop.push"
'
check 'the registry has the certificate of the HTTP API, and sends there for tokens' '
    curl -sS --cacert "$work/certificate.pem" -o /dev/null -D "$work/head" "https://$public/v2/"
    expect "realm=\"https://localhost:$http_port/registry/token\"" "$work/head"
'
check 'skopeo' '
    export REGISTRY_AUTH_FILE=$work/skopeo.json
    must_fail skopeo login --cert-dir "$work/certificates" -u me -p slw_wrong "$public"
    skopeo login --cert-dir "$work/certificates" -u me -p "$member" "$public"
    skopeo --insecure-policy copy --quiet --dest-cert-dir "$work/certificates" "oci:$shared/tiny:run" "docker://$shop:skopeo"
    skopeo --insecure-policy copy --quiet --src-cert-dir "$work/certificates" "docker://$shop:skopeo" "oci:$work/skopeo:x"
    skopeo login --cert-dir "$work/certificates" -u me -p "$stranger" "$public"
    must_fail skopeo --insecure-policy copy --quiet --dest-cert-dir "$work/certificates" "oci:$shared/tiny:run" "docker://$shop:no"
    must_fail skopeo --insecure-policy copy --quiet --src-cert-dir "$work/certificates" "docker://$shop:skopeo" "oci:$work/no:x"
'
# buildah and podman share their options and their storage, which is the scenario's own.
containers_client() { # NAME
    local client=$1
    export REGISTRY_AUTH_FILE=$work/$client.json
    printf '[storage]\ndriver = "vfs"\nrunroot = "%s"\ngraphroot = "%s"\n' \
        "$work/$client.run" "$work/$client.root" >"$work/$client.conf"
    export CONTAINERS_STORAGE_CONF=$work/$client.conf
    printf '{"default": [{"type": "insecureAcceptAnything"}]}\n' >"$work/policy.json"
    local options=(--cert-dir "$work/certificates" --signature-policy "$work/policy.json")
    must_fail "$client" login --cert-dir "$work/certificates" -u me -p slw_wrong "$public"
    "$client" login --cert-dir "$work/certificates" -u me -p "$member" "$public"
    "$client" pull --quiet "${options[@]}" "$shop:skopeo"
    "$client" push --quiet "${options[@]}" "$shop:skopeo" "docker://$shop:$client"
    "$client" login --cert-dir "$work/certificates" -u me -p "$stranger" "$public"
    must_fail "$client" push --quiet "${options[@]}" "$shop:skopeo" "docker://$shop:no"
    must_fail "$client" pull --quiet "${options[@]}" "$shop:$client"
}
if present buildah --version; then check 'buildah' 'containers_client buildah'; fi
if present podman --version; then check 'podman' 'containers_client podman'; fi

docker_logs_in_itself=yes
trap 'stop_docker; clean_up' EXIT
if start_docker "$public"; then
    check 'docker login, push and pull; a stranger does not' '
        echo "$member" | docker_here login -u me --password-stdin "$public"
        docker_here pull "$shop:skopeo"
        docker_here tag "$shop:skopeo" "$shop:docker"
        docker_here push "$shop:docker"
        docker_here rmi "$shop:docker"
        docker_here pull "$shop:docker"
        ! echo slw_wrong | docker_here login -u me --password-stdin "$public" || fail "logged in"
        docker_here logout "$public"
        echo "$stranger" | docker_here login -u me --password-stdin "$public"
        must_fail docker_here push "$shop:docker"
        must_fail docker_here pull "$shop:docker"
        docker_here logout "$public"
        must_fail docker_here pull "$shop:docker"
    '
    stop_docker
else
    tail -n 3 "$work/docker.log" 2>/dev/null || true
    echo "skipped: no Docker engine can be started here"
fi

check 'a certificate that is replaced is served within a minute or two' '
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj /CN=localhost \
        -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -keyout "$work/key.new" -out "$work/certificate.new" 2>/dev/null
    mv "$work/key.new" "$work/key.pem"
    mv "$work/certificate.new" "$work/certificate.pem"
    serves_it() { curl -sS --cacert "$work/certificate.pem" -o /dev/null "https://$public/v2/"; }
    wait_until 150 "the registry serves the new certificate" serves_it
'

finish
