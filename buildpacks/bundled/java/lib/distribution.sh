# The layers `maven` and `gradle`: the tool itself.

# provide_distribution maven|gradle COMMAND
provide_distribution() {
    local tool=$1 command=$2 answer url checksum archive dir source=
    dir=$(layer_dir "$tool")
    answer=$(helper distribution.py wanted "$tool") || exit 1
    {
        read -r tool_version
        read -r url
        read -r checksum || true
    } <<<"$answer"
    if [[ $(layer_value "$tool" url) == "$url" && $(layer_value "$tool" checksum) == "$checksum" ]]; then
        source=' (from the cache)'
    else
        clear_layer "$tool"
        archive=$scratch_dir/distribution
        helper distribution.py fetch "$url" "$checksum" "$archive" || exit 1
        mkdir "$scratch_dir/unpacked"
        if [[ $url == *.zip ]]; then
            python3 -I -m zipfile -e "$archive" "$scratch_dir/unpacked"
        else
            tar --extract --gzip --file "$archive" --directory "$scratch_dir/unpacked" \
                --no-same-owner --no-same-permissions
        fi
        mv "$scratch_dir"/unpacked/*/* "$dir/"
        rm -rf "$scratch_dir/unpacked" "$archive"
        [[ -f $dir/bin/$command ]] || fail "$url holds no bin/$command"
        chmod 0755 "$dir"/bin/*
    fi
    write_layer "$tool" build,cache version "$tool_version" url "$url" checksum "$checksum"
    say "${tool^} $tool_version$source"
    export PATH=$dir/bin:$PATH
}

# project_key FILE...: whatever the app's files say about what is downloaded.
project_key() {
    find . '(' -name target -o -name build -o -name .git -o -name node_modules ')' -prune -o \
        -type f '(' -name pom.xml -o -name settings.xml -o -name '*.gradle' -o \
        -name '*.gradle.kts' -o -name gradle.properties -o -name '*.lockfile' -o \
        -path './.mvn/*' -o -path '*/gradle/*.toml' ')' -print0 |
        sort -z | xargs -0 -r sha256sum | sha256sum | cut -d ' ' -f 1
}
