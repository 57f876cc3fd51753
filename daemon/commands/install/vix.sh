#!/bin/sh
# Runs a command of Vix with the settings and keys of the service, such as `sudo vix keys list`. Made by `vix install`.
[ "$(id -u)" = 0 ] || exec sudo -- "$0" "$@"
while IFS= read -r line; do
    case $line in
    VIX_*=\"*\") value=${line#*=\"} && export "${line%%=*}=${value%\"}" ;;
    VIX_*=* | FFMPEG=*) export "${line?}" ;;
    esac
done </etc/vix/vix.env
export VIX_DATA=/var/lib/vix VIX_MASTER_KEY_FILE=/etc/vix/master-key
export VIX_SECRET_FILE=/etc/vix/secret VIX_VAULT_KEY_FILE=/etc/vix/vault-key
exec /opt/vix/current/vix "$@"
