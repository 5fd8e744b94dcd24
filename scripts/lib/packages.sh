# shellcheck shell=bash
# The Debian packages that the project needs, by purpose: the one list that every script reads.
# To be sourced. `ensure_packages build test` installs what is missing of these groups, as root.

# shellcheck disable=SC2034  # the arrays are looked up by name
packages_build=(
    gcc make pkg-config libc6-dev libcurl4-openssl-dev libssl-dev libjansson-dev libyaml-dev
    libmicrohttpd-dev libarchive-dev libedit-dev uthash-dev musl-tools
)
# shellcheck disable=SC2034
packages_devcluster=(
    ca-certificates etcd-server containerd runc containernetworking-plugins ipset conntrack iproute2
    iptables socat kmod openssl python3 python3-venv python3-pip gcc libc6-dev
)
# shellcheck disable=SC2034
packages_images=(ca-certificates gcc libc6-dev maven musl-tools python3 python3-pip)
# shellcheck disable=SC2034
packages_lint=(clang-format-14 clang-tidy-14 clang-14 cppcheck shellcheck)
# shellcheck disable=SC2034
packages_test=(libcmocka-dev python3 python3-pytest python3-pytest-xdist python3-yaml binutils skopeo openssl time)

# packages_missing GROUP... - prints the packages of these groups that are not installed.
packages_missing() {
    local group name
    for group in "$@"; do
        if ! declare -p "packages_$group" >/dev/null 2>&1; then
            echo "packages: unknown group $group" >&2
            return 2
        fi
        local -n _list=packages_$group
        for name in "${_list[@]}"; do
            [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
                echo "$name"
        done
        unset -n _list
    done | sort -u
}

# packages_retry COMMAND... - mirrors fail for moments: three attempts, the last one's status.
packages_retry() {
    local attempt
    for attempt in 1 2 3; do
        "$@" && return 0
        [ "$attempt" = 3 ] || sleep $((attempt * 5))
    done
    return 1
}

# ensure_packages GROUP... - installs what is missing; silent and quick when nothing is.
ensure_packages() {
    local missing log
    missing=$(packages_missing "$@") || return
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086  # a list of words
    set -- $missing
    if [ "$(id -u)" != 0 ]; then
        echo "packages: not root; install them first: apt-get install $*" >&2
        return 1
    fi
    echo "packages: installing $*" >&2
    log=$(mktemp) || return
    export DEBIAN_FRONTEND=noninteractive
    # apt waits for another apt instead of failing; services of the packages stay off.
    if ! { packages_retry apt-get -q -o DPkg::Lock::Timeout=300 update &&
        packages_retry packages_install "$@"; } >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        echo "packages: apt-get could not install $*; see the lines above" >&2
        return 1
    fi
    rm -f "$log"
}

# packages_install NAME... - without recommendations, without questions, without starting daemons.
packages_install() {
    local policy=/usr/sbin/policy-rc.d made='' status=0
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && made=1
    fi
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold \
        install --no-install-recommends "$@" </dev/null || status=$?
    [ -z "$made" ] || rm -f "$policy"
    return "$status"
}
