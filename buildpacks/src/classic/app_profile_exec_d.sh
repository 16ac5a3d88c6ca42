#!/usr/bin/env bash
# The same for a process that no shell starts: sources .profile.d and .profile, and hands the
# variables that changed to the launcher, as TOML on descriptor 3 (buildpack.md, "exec.d").
exec 4>&3 3>&- 1>&2

declare -A before=()
while IFS= read -r -d '' entry; do before[${entry%%=*}]=${entry#*=}; done < <(env -0)

cd "$HOME" || exit 1
for script in "$HOME"/.profile.d/*.sh "$HOME/.profile"; do
    # shellcheck disable=SC1090
    if [ -r "$script" ]; then source "$script" </dev/null 4>&-; fi
done

# A basic string of TOML: backslash, quote and control characters are escaped.
quoted() {
    local LC_ALL=C text=$1 result="" char i
    for ((i = 0; i < ${#text}; i++)); do
        char=${text:i:1}
        case $char in
            '"' | "\\") result+="\\$char" ;;
            [$'\001'-$'\037'$'\177']) printf -v char '\\u%04X' "'$char" && result+=$char ;;
            *) result+=$char ;;
        esac
    done
    printf '"%s"' "$result"
}

while IFS= read -r -d '' entry; do
    name=${entry%%=*} value=${entry#*=}
    case $name in
        _ | PWD | OLDPWD | SHLVL | BASH_FUNC_*) continue ;;
    esac
    [ "${before[$name]-}" != "$value" ] || [ -z "${before[$name]+set}" ] || continue
    printf '%s = %s\n' "$(quoted "$name")" "$(quoted "$value")" >&4
done < <(env -0)
