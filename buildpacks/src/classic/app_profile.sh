# shellcheck shell=bash
# What classic buildpacks left for the start of the app. Once, however many of them there were.
if [ -z "${slipway_app_profile-}" ]; then
    slipway_app_profile=sourced
    for slipway_script in "$HOME"/.profile.d/*.sh; do
        # shellcheck disable=SC1090
        if [ -r "$slipway_script" ]; then source "$slipway_script"; fi
    done
    unset slipway_script
fi
