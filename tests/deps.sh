#!/bin/sh
# Installs what building and testing reqprof needs: the one list of Debian packages (bookworm).
# As root on Debian it installs what is missing; anywhere else it says what to install and fails.
# `tests/deps.sh --list` prints the list.
set -u

# gcc ... libjansson-dev build the library and the tool; everything after it only tests them.
PACKAGES="
	gcc libc6-dev make pkg-config libdw-dev libelf-dev zlib1g-dev libjansson-dev
	libunwind-dev
	patchelf
	clang libclang-rt-14-dev
	bats shellcheck groff mandoc
	binutils curl iproute2 jq mount procps strace util-linux valgrind wrk
	uwsgi-core uwsgi-plugin-python3 placement-api nginx gunicorn python3-werkzeug
	golang-go
	linux-perf libgoogle-perftools4 python3-yappi python3-flask
	postgresql-15 python3-psycopg2
	nghttp2-client nghttp2-server python3-hypercorn apache2
	uwsgi-plugin-gevent-python3 openssl python3-starlette python3-uvicorn python3-uvloop
	python3-httptools python3-aiohttp python3-tornado python3-twisted python3-gevent python3-eventlet daphne
	bindfs
	libssl3 libpython3.11-testsuite libfaketime libjemalloc2 eatmydata gdb php-cli
	php-fpm php-cgi lighttpd lighttpd-mod-deflate apache2 libapache2-mod-wsgi-py3 tomcat10 systemd puma ruby-rack ruby-webrick unicorn starman python3-websockets
"

# Programs that people often have from elsewhere than Debian: install the package only when the command is missing.
COMMANDS="node:nodejs npm:npm g++:g++ javac:openjdk-17-jdk-headless"

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_packages() {
	for package in $PACKAGES; do
		installed "$package" || echo "$package"
	done
	for pair in $COMMANDS; do
		command -v "${pair%%:*}" >/dev/null 2>&1 || echo "${pair#*:}"
	done
}

# Packages of servers start their daemons at once; policy-rc.d is Debian's way to say no.
POLICY=/usr/sbin/policy-rc.d
policy_is_ours=0

forbid_daemons() {
	[ -e "$POLICY" ] && return
	printf '#!/bin/sh\nexit 101\n' >"$POLICY" && chmod 0755 "$POLICY" && policy_is_ours=1
}

allow_daemons() {
	[ "$policy_is_ours" = 1 ] && rm -f "$POLICY"
	policy_is_ours=0
}

apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

install_packages() {
	# The lists may be absent (fresh container) or too old to fetch from: refresh them only then.
	# shellcheck disable=SC2086 # a list of package names is meant to be split
	apt install --no-install-recommends $1 && return
	apt update || return
	# shellcheck disable=SC2086
	apt install --no-install-recommends $1
}

if [ "${1:-}" = --list ]; then
	for package in $PACKAGES; do echo "$package"; done
	for pair in $COMMANDS; do echo "${pair#*:}"; done
	exit 0
fi

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
	echo "reqprof: this is not Debian, so nothing was installed or checked." >&2
	echo "Building and testing need what Debian bookworm has in these packages:" >&2
	"$0" --list | tr '\n' ' ' | fold -s -w 100 >&2
	echo >&2
	# A machine that has the compiler and the libraries can build all the same.
	[ "${REQPROF_SKIP_DEPS:-0}" = 1 ] && exit 0
	echo "When they are there, set REQPROF_SKIP_DEPS=1." >&2
	exit 1
fi

missing=$(missing_packages | tr '\n' ' ')
missing=${missing% }
[ -z "$missing" ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "reqprof: these Debian packages are missing: $missing" >&2
	echo "Install them as root:" >&2
	echo "    apt-get install --no-install-recommends $missing" >&2
	exit 1
fi

echo "reqprof: installing $missing"
trap allow_daemons EXIT
trap 'exit 1' HUP INT TERM
forbid_daemons
if ! install_packages "$missing"; then
	echo "reqprof: apt-get could not install: $missing" >&2
	exit 1
fi
still=$(missing_packages | tr '\n' ' ')
if [ -n "$still" ]; then
	echo "reqprof: still missing after installing: $still" >&2
	exit 1
fi
