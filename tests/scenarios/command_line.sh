#!/usr/bin/env bash
# The command line and the configuration, as a script or an operator meets them.
. "$(dirname "$0")/lib.sh"

start_server
use_tiny_stack
script_app hello <<<'echo fine'
push hello >/dev/null 2>&1

# exits CODE COMMAND...
exits() {
    local wanted=$1 status=0
    shift
    "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" -eq "$wanted" ] || { cat "$work/out" "$work/err"; fail "exit code $status, not $wanted: $*"; }
}

check 'exit codes are the documented ones' '
    exits 0 slipway apps list
    exits 2 slipway apps
    exits 2 slipway nonsense
    exits 2 slipway apps create "Not A Name"
    exits 4 slipway apps info never
    exits 4 slipway builds info never
    exits 5 slipway apps create hello
    exits 12 "$bin/slipway" --state /nonexistent apps list
    expect "no server" "$work/err"
'
check 'errors are JSON too when JSON is asked for' '
    exits 4 slipway --json apps info never
    jq -e ".error.kind == \"not_found\" and (.error.message | length > 0)" "$work/err"
    [ ! -s "$work/out" ]
'
check 'every listing has JSON' '
    for command in "apps list" "apps info hello" "keys list" "builds list" "stack list" "stack info" "doctor"; do
        slipway $command --json >"$work/out" || [ "$command" = doctor ]
        jq -e . "$work/out" >/dev/null || fail "no JSON: $command"
    done
    slipway --json builds info "$(last_build hello .build)" | jq -e ".phases.build >= 0 and .state == \"published\""
    slipway --json builds log "$(last_build hello .build)" | jq -s -e "length > 0"
'
check 'builds log --follow of a build that has ended shows it and ends as it did' '
    exits 0 slipway builds log --follow "$(last_build hello .build)"
    expect "fine" "$work/out"
    echo "exit 1" >"$work/hello/build.sh"
    commit hello broken
    refused_push hello
    exits 10 slipway builds log --follow "$(last_build hello .build)"
'
check 'a log can be read from an offset' '
    build=$(last_build hello .build)
    slipway builds log "$build" >"$work/whole"
    slipway builds log "$build" --offset 20 >"$work/rest"
    tail -c +21 "$work/whole" | cmp - "$work/rest"
'
check 'builds follow ends with the digest' '
    id=$(slipway --json builds list --app hello --state published | jq -r ".builds[0].id")
    slipway builds follow "$id" >"$work/out"
    expect "fine" "$work/out"
    digest=$(slipway --json builds info "$id" | jq -r .digest)
    [ "$digest" != null ]
    same "$(tail -n 1 "$work/out")" "$digest"
'
check 'noun:verb and -a are as good as noun verb APP' '
    same "$(slipway apps:info -a hello)" "$(slipway apps info hello)"
    same "$(slipway builds:list --app hello --limit 1)" "$(slipway builds list -a hello --limit 1)"
    exits 2 slipway apps:nonsense hello
    exits 2 slipway config set
    expect "slipway config set APP NAME=VALUE" "$work/err"
'
check 'every command stands in docs/cli.md' '
    slipway completion bash >"$work/completion"
    sed -nE "s/^    \x27([a-z -]+)\x27\) words=\x27(--[^\x27]*)?\x27 ;;/\1/p" "$work/completion" >"$work/commands"
    [ "$(wc -l <"$work/commands")" -gt 40 ]
    while read -r path; do
        noun=${path% *} verb=${path##* }
        if [ "$noun" = "$verb" ]; then pattern="slipway $verb\b"
        else pattern="slipway $noun ([a-z-]+\\\\\|)*$verb\b"; fi
        grep -qE "$pattern" "$SLIPWAY_SOURCE_DIR/docs/cli.md" || fail "docs/cli.md has no: slipway $path"
    done <"$work/commands"
'
check 'bash completes nouns, verbs and options' '
    complete_words() { # WORD...: what may stand in place of the last one
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        _slipway
        echo "${COMPREPLY[*]}"
    }
    . <(slipway completion bash)
    same "$(complete_words slipway conf)" config
    same "$(complete_words slipway --json config uns)" unset
    complete_words slipway config set --b | grep -qx -- "--build-only"
    complete_words slipway builds "" | grep -qw follow
'
check 'doctor says what is there' '
    slipway doctor >"$work/out" || true
    expect "^ok +git" "$work/out"
    expect "^ok +server: slipwayd" "$work/out"
'
check 'an app is destroyed only when its name is given again' '
    script_app gone <<<"true"
    push gone
    exits 2 slipway apps destroy gone </dev/null
    slipway apps destroy gone --confirm gone
    exits 4 slipway apps info gone
    refused_push gone
    slipway apps create gone
    push gone
'
check 'a private key is not taken for a public one' '
    exits 2 slipway keys add private "$work/dev.key"
    refute "PRIVATE" "$work/err"
'
check 'one key cannot belong to two names' '
    exits 5 slipway keys add again "$work/dev.key.pub"
'
check 'an unknown key in the configuration is an error that names the line' '
    printf "state = \"%s\"\n\n[sandbox]\nmemroy = \"1G\"\n" "$work/other" >"$work/bad.toml"
    exits 2 "$bin/slipwayd" --config "$work/bad.toml"
    expect "bad.toml:4" "$work/err"
    expect "memroy" "$work/err"
    [ ! -e "$work/other" ]
'
check 'a value that makes no sense is an error that names the line' '
    printf "state = \"%s\"\nssh.listen = \"nowhere\"\n" "$work/other" >"$work/bad.toml"
    exits 2 "$bin/slipwayd" --config "$work/bad.toml"
    expect "bad.toml:2" "$work/err"
'
check 'an environment variable is stronger than the file' '
    SLIPWAY_LOG_LEVEL=nonsense exits 2 "$bin/slipwayd" --config "$work/slipway.toml"
    expect "SLIPWAY_LOG_LEVEL" "$work/err"
'
check 'every key of the configuration is documented with its variable' '
    for key in state ssh.listen registry.url sandbox.memory build.ca_certificates build.environment; do
        expect "$key" "$SLIPWAY_SOURCE_DIR/docs/configuration.md"
    done
'
check 'slipway build writes an image that runs, and refuses as a push does' '
    mkdir "$work/plain"
    cp "$work/gone/"*.sh "$work/plain/"
    cp -r "$work/gone/public" "$work/plain/"
    slipway build "$work/plain" --output "oci:$work/layout:app" >"$work/out"
    same "$(tail -n 1 "$work/out")" "$(last_build gone .digest)"
    same "$(jq -r ".manifests[0].digest" "$work/layout/index.json")" "$(last_build gone .digest)"
    rm "$work/plain/build.sh"
    exits 10 slipway build "$work/plain"
    slipway build "$work/gone" --publish "$registry/by-hand/app:1"
    same "$(skopeo inspect --tls-verify=false "docker://$registry/by-hand/app:1" | jq -r .Digest)" \
        "$(last_build gone .digest)"
'

finish
