#!/usr/bin/env bash
# What the procfile buildpack makes of a Procfile.
source "$(dirname "${BASH_SOURCE[0]}")/support.sh"

# build_procfile TEXT (with the escapes of printf)
build_procfile() {
    rm -rf "$work_dir/workspace" "$work_dir/layers"
    mkdir -p "$work_dir/workspace"
    printf "$1" >"$work_dir/workspace/Procfile"
    run build procfile
}

launch() {
    cat "$work_dir/layers/launch.toml"
}

build_procfile '# comment\n\n// another\r\nweb: node server.js --port $PORT # why\nclock_2:sleep 9\n'
equal "a good Procfile passes" 0 "$status"
holds "the command is bash's, without the comment" "$(launch)" \
    'command = ["bash", "-c", "node server.js --port $PORT"]'
holds "the first colon splits, white space or not" "$(launch)" '["bash", "-c", "sleep 9"]'
equal "only web is the default" 1 "$(grep -c '^default = true' "$work_dir/layers/launch.toml")"
holds "the processes are listed" "$output" "Procfile declares web, clock_2"
holds "a name that other platforms refuse is told" "$output" "WARNING: 'clock_2'"

build_procfile 'web: echo "a # b" c#d \\# e # f\n'
holds "a # in quotes, words or after a backslash is no comment" "$(launch)" \
    '"echo \"a # b\" c#d \\# e"'

build_procfile 'web: echo a:b "c\\d"\n'
holds "later colons, quotes and backslashes stay" "$(launch)" 'echo a:b \"c\\d\"'

build_procfile 'worker: run\n'
equal "no web process is no error" 0 "$status"
lacks "without web there is no default" "$(launch)" default

build_procfile 'web: run\nrelease: migrate\n'
holds "who expects 'release' to run by itself is told" "$output" "'release' is a process like"

# refused TEXT WORDS
refused() {
    build_procfile "$1"
    equal "refused: $2" 1 "$status"
    holds "says so: $2" "$output" "ERROR: $2"
}

refused 'web: a\n\nworker: b\nweb: c\n' "Procfile, line 4: 'web' was already given in line 1"
refused 'web: a\n<<<<<<< HEAD\n' "Procfile, line 2: a merge marker"
refused 'web: a\n=======\n' "Procfile, line 2: a merge marker"
refused 'web: a\n>>>>>>> theirs: x\n' "Procfile, line 2: a merge marker"
refused 'web node server.js\n' "Procfile, line 1: no colon"
refused 'my web: a\n' 'Procfile, line 1: "my web" cannot be the name of a process'
refused '../web: a\n' 'Procfile, line 1: "../web" cannot be the name of a process'
refused 'web:\n' "Procfile, line 1: 'web' has no command"
refused 'web: # nothing\n' "Procfile, line 1: 'web' has no command"
refused 'web: a\001b\n' "Procfile, line 1: a control character"
refused '# nothing\n' "the Procfile names no process"
refused 'web: \377\n' "Procfile is not UTF-8 text"

finish
