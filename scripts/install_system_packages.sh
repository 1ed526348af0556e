#!/bin/sh
# The programs that the tests start for real, or those that are named. Installs what is absent if it may, otherwise says
# what is missing and how to get it.
set -eu

[ "$#" -gt 0 ] || set -- chromium curl faketime nginx postgresql redis-server
wanted=$*

have() {
    case $1 in
        # PostgreSQL's server programs are kept out of PATH by Debian.
        postgresql) command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ;;
        # nginx lives in sbin, which is not in everyone's PATH.
        nginx) command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] ;;
        # Headers have no program.
        libc6-dev) [ -e /usr/include/stdio.h ] ;;
        nodejs) command -v node >/dev/null 2>&1 ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

absent() {
    for package in $wanted; do
        have "$package" || printf '%s ' "$package"
    done
}

missing=$(absent)
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "Programs are needed that are not installed: ${missing}- please install them with this system's package manager." >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root=''
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
else
    echo "Programs are needed that are not installed; please run: sudo apt-get install --no-install-recommends ${missing}" >&2
    exit 1
fi

echo "Installing system packages: $missing"
# RUNLEVEL=1: the tests start servers of their own, so none is started by its package.
# shellcheck disable=SC2086
{
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -o DPkg::Lock::Timeout=120 install -qq --yes \
        --no-install-recommends $missing >/dev/null
}

missing=$(absent)
if [ -n "$missing" ]; then
    echo "These programs are still missing after apt-get: $missing" >&2
    exit 1
fi
