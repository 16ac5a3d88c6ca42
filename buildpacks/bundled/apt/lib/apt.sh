# apt with a state of its own, in the cache layer `apt`: lists of packages and downloaded archives.
# The image's dpkg database is only read.

run_status=/usr/share/slipway/run-image-status

prepare_apt() {
    local dir program
    for program in apt-get apt-config dpkg-deb dpkg; do
        command -v "$program" >/dev/null || fail "the build image has no $program" \
            "Use the stack debian-12 ('slipway stack create debian-12' makes it again), or a build" \
            "image with Debian's packages apt and dpkg."
    done
    architecture=$(dpkg --print-architecture)
    dir=$(layer_dir apt)
    mkdir -p "$dir"/{lists/partial,archives/partial,files} "$scratch_dir"/{sources,state}
    write_layer apt cache
    write_sources
    write_statuses
    write_options "$dir"
    export DEBIAN_FRONTEND=noninteractive
}

# The options go last: they overrule what the image's own apt.conf says.
run_apt() {
    apt-get -c "$scratch_dir/apt.conf" --quiet=2 "$@"
}

write_sources() {
    local list parts
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    helper sources.py "$list" "$parts" "$scratch_dir/sources" || exit 1
    if [[ -s $scratch_dir/wanted/repositories ]]; then
        cp "$scratch_dir/wanted/repositories" "$scratch_dir/sources/aptfile.list"
    fi
}

# Which packages are there already: at run time those of the run image, which the stack's build
# image knows. Of another run image only this is sure: what Debian calls essential.
write_statuses() {
    if [[ -f $run_status ]]; then
        helper status.py all "$run_status" "$scratch_dir/launch-status"
    else
        helper status.py essential /var/lib/dpkg/status "$scratch_dir/launch-status"
    fi
    helper status.py all /var/lib/dpkg/status "$scratch_dir/build-status"
}

write_options() {
    cat <<CONF
Dir::State "$scratch_dir/state";
Dir::State::lists "$1/lists";
Dir::Cache "$scratch_dir";
Dir::Cache::archives "$1/archives";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$scratch_dir/sources";
Dir::Log "$scratch_dir";
Debug::NoLocking "true";
APT::Sandbox::User "";
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Get::Assume-Yes "true";
APT::Get::Allow-Downgrades "true";
APT::Get::Allow-Remove-Essential "false";
APT::Get::Remove "false";
APT::Get::AllowUnauthenticated "false";
APT::Get::Show-User-Simulation-Note "false";
APT::Update::Error-Mode "any";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Acquire::Retries "2";
Acquire::http::Timeout "60";
Acquire::https::Timeout "60";
CONF
    if [[ -n ${SSL_CERT_FILE:-} ]]; then
        printf 'Acquire::https::CAInfo "%s";\n' "$SSL_CERT_FILE"
    fi
} >"$scratch_dir/apt.conf"

# Asks each source whether its lists are still the newest; the lists are fetched when they are not.
# Without an answer the lists of an earlier build are good enough: their signatures were checked.
refresh_lists() {
    local log=$scratch_dir/update.log status=0
    [[ -s $scratch_dir/wanted/launch || -s $scratch_dir/wanted/build ||
        -s $scratch_dir/wanted/addresses ]] || return 0
    run_apt update >"$log" 2>&1 || status=$?
    lists_key=$(cd "$(layer_dir apt)/lists" && find . -maxdepth 1 -name '*Release' -type f -print0 |
        sort -z | xargs -0r sha256sum | sha256sum)
    ((status != 0)) || return 0
    if grep -qE 'GPG error|is not signed|NO_PUBKEY|BADSIG' "$log"; then
        cat "$log" >&2
        fail "a list of packages is not signed as it must be; apt's own words are above" \
            "Is the mirror a copy of the distribution, and the repository's key named by signed-by?"
    fi
    if [[ -z $(find "$(layer_dir apt)/lists" -maxdepth 1 -name '*Release' -print -quit) ]]; then
        cat "$log" >&2
        fail "the lists of packages could not be fetched; apt's own words are above" \
            "SLIPWAY_APT_MIRROR and SLIPWAY_APT_SECURITY_MIRROR name other servers."
    fi
    warn "the lists of packages could not be refreshed; those of an earlier build are used"
}

# resolve STATUS WORD...: prints "NAME VERSION ARCHITECTURE" of each package that has to be added
# to an image with these packages.
resolve() {
    local status_file=$1 log=$scratch_dir/resolve.log
    shift
    if ! run_apt -o "Dir::State::status=$status_file" --simulate install -- "$@" \
        >"$log" 2>&1; then
        cat "$scratch_dir/update.log" "$log" >&2
        fail "apt finds no way to install what is asked for; its own words are above" \
            "Are the names those of this release? https://packages.debian.org tells."
    fi
    sed -nE 's/^Inst ([^ ]+) (\[[^]]*\] )?\(([^ ]+) ([^)]*) \[([a-z0-9-]+)\]\).*/\1 \3 \5 \4/p' "$log" |
        while read -r name version package_architecture from; do
            if [[ $from != *local-deb* ]]; then
                echo "${name%%:*} $version $package_architecture"
            fi
        done
}

# download STATUS WORD...: the archives of what `resolve` named.
download() {
    local status_file=$1 log=$scratch_dir/download.log
    shift
    run_apt -o "Dir::State::status=$status_file" --download-only install -- "$@" \
        >"$log" 2>&1 || {
        cat "$log" >&2
        fail "apt could not fetch the packages; its own words are above"
    }
}

# archive_of NAME VERSION ARCHITECTURE: the file's name as apt chooses it.
archive_of() {
    printf '%s/%s_%s_%s.deb' "$(layer_dir apt)/archives" "$1" "${2//:/%3a}" "$3"
}

# Prints the .deb files that the Aptfile names; each is kept for as long as its address stays.
fetch_addresses() {
    local address digest file
    while read -r address digest; do
        file=$(layer_dir apt)/files/$(printf '%s' "$address" | sha256sum | cut -c 1-16).deb
        if [[ ! -f $file ]]; then
            say "Fetching $address" >&2
            curl --silent --show-error --fail --location --retry 2 --proto '=http,https' \
                --max-filesize 1073741824 --output "$file.part" "$address" ||
                fail "$address could not be fetched"
            mv "$file.part" "$file"
        fi
        if [[ $digest != - && $(sha256sum <"$file") != "$digest "* ]]; then
            rm -f "$file"
            fail "$address is another file than the Aptfile says" \
                "Its SHA-256 is not $digest."
        fi
        dpkg-deb --info "$file" >/dev/null 2>&1 || {
            rm -f "$file"
            fail "$address is no Debian package"
        }
        echo "$file"
    done <"$scratch_dir/wanted/addresses"
}

# Archives and files that no layer is made of any more.
forget_old_archives() {
    local file
    for file in "$(layer_dir apt)"/archives/*.deb "$(layer_dir apt)"/files/*; do
        if [[ -f $file ]] && ! grep -qsxF "$file" "$scratch_dir/used"; then rm -f "$file"; fi
    done
}
