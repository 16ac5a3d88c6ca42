# A layer with packages in it: which ones, whether an earlier build's layer still is what it must
# be, and how they are unpacked.

# Within a layer: the archives it was made of, which stay in the cache with it.
archives_list=usr/share/slipway/archives

# provide_packages LAYER WHICH TYPES: WHICH is launch or build, and says what is there already. A
# layer in which nobody wants anything is not made.
provide_packages() {
    local layer=$1 which=$2 types=$3 status_file=$scratch_dir/$2-status
    local words=() files=() added=$scratch_dir/$2-added inputs content count
    mapfile -t words <"$scratch_dir/wanted/$which"
    if [[ $which == launch ]]; then
        fetch_addresses >"$scratch_dir/files"
        mapfile -t files <"$scratch_dir/files"
    fi
    if ((${#words[@]} + ${#files[@]} == 0)); then
        rm -rf "${CNB_LAYERS_DIR:?}/$layer" "$CNB_LAYERS_DIR/$layer.toml"
        return 0
    fi

    inputs=$(printf '%s\n' "${words[@]}" "$(checksums)" "$lists_key" "$(layer_dir "$layer")" |
        cat - "$status_file" "$scratch_dir"/sources/* | sha256sum | cut -d ' ' -f 1)
    if layer_has "$layer" inputs "$inputs"; then
        content=$(layer_value "$layer" content)
        say "Using $(packages "$(layer_value "$layer" count)") from the cache: nothing changed"
    else
        resolve "$status_file" "${words[@]}" "${files[@]}" >"$added"
        leave_out_kept "$status_file" "$added"
        content=$({ checksums && layer_dir "$layer" && cat "$added"; } | sha256sum | cut -d ' ' -f 1)
        if layer_has "$layer" content "$content"; then
            say "Using $(packages "$(layer_value "$layer" count)") from the cache: none is newer"
        else
            make_layer
        fi
    fi
    cat "$(layer_dir "$layer")/$archives_list" >>"$scratch_dir/used"
    count=$(wc -l <"$(layer_dir "$layer")/$archives_list")
    write_layer "$layer" "$types,cache" inputs "$inputs" content "$content" count "$count"
}

checksums() {
    if ((${#files[@]} > 0)); then sha256sum "${files[@]}"; fi
}

layer_has() {
    [[ -f $(layer_dir "$1")/$archives_list && $(layer_value "$1" "$2") == "$3" ]]
}

packages() {
    if [[ $1 == 1 ]]; then echo "1 package"; else echo "$1 packages"; fi
}

# The C library and what Debian calls essential stay the image's own, though the repository may have
# newer ones. A package for another C library cannot run there.
leave_out_kept() {
    local name version rest here
    helper status.py kept "$1" >"$scratch_dir/kept"
    while read -r name version rest; do
        if [[ $name == libc6 ]]; then
            here=$(sed -n '/^Package: libc6$/,/^$/s/^Version: //p' "$1")
            [[ ${version%%-*} == "${here%%-*}" ]] || fail \
                "what is asked for needs the C library $version, and the image has $here" \
                "These packages are for another release of the distribution."
        fi
        if ! grep -qxF "$name" "$scratch_dir/kept"; then echo "$name $version $rest"; fi
    done <"$2" >"$2.new"
    mv "$2.new" "$2"
}

make_layer() {
    local dir archives=() archive name version package_architecture
    dir=$(layer_dir "$layer")
    clear_layer "$layer"
    download "$status_file" "${words[@]}" "${files[@]}"
    while read -r name version package_architecture; do
        archives+=("$(archive_of "$name" "$version" "$package_architecture")")
    done <"$added"
    archives+=("${files[@]}")
    # As in the image itself, so that a file has one place only.
    mkdir -p "$dir"/usr/{bin,lib,sbin}
    ln -s usr/bin usr/lib usr/sbin "$dir/"
    for archive in "${archives[@]}"; do unpack "$archive" "$dir"; done
    for name in bin lib sbin; do
        if rmdir "$dir/usr/$name" 2>/dev/null; then rm "$dir/$name"; fi
    done
    remove_documentation "$dir"
    mkdir -p "$dir/${archives_list%/*}"
    if ((${#archives[@]} > 0)); then printf '%s\n' "${archives[@]}"; fi >"$dir/$archives_list"
    helper repair.py "$dir"
    write_environment "$dir"
    say "Unpacked $(packages "${#archives[@]}"): ${words[*]} and what they need"
}

# No maintainer script runs: a layer is no system. Directories of the specification are not for
# packages to write.
unpack() {
    dpkg-deb --fsys-tarfile "$1" | tar --extract --directory "$2" --keep-directory-symlink \
        --no-same-owner --no-same-permissions --delay-directory-restore \
        --exclude='./env' --exclude='./env.*' --exclude='./exec.d' --exclude='./profile.d' ||
        fail "${1##*/} could not be unpacked"
}

# As in the stack's images. Copyright files stay: licences ask for them.
remove_documentation() {
    local dir
    chmod -R u+rwX,go+rX,go-w,a-st "$1"
    for dir in man info lintian doc-base bug locale; do rm -rf "${1:?}/usr/share/$dir"; done
    if [[ -d $1/usr/share/doc ]]; then
        find "$1/usr/share/doc" ! -type d ! -name copyright -delete
        find "$1/usr/share/doc" -type d -empty -delete
    fi
}
