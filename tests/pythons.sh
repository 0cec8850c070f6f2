#!/bin/bash
# Real interpreters of the versions that this machine lacks, out of Debian's other suites: prints a
# line "VERSION PATH" for each that can run, newest first, and "# SUITE: reason" for what could not be had.
#
# Nothing is installed: apt-get downloads a suite's packages (no root needed; the lists of other
# suites never meet the system's), and they are unpacked below the cache folder. patchelf tells their
# programs to use the libraries beside them. The first time that takes some 15 seconds, 75 MB of
# downloads and 210 MB of room; later none.
#
# XDG_CACHE_HOME    the cache is reqprof/pythons in it (~/.cache; where that cannot be made: $B)
# SUITES            "bullseye trixie sid"
# REFRESH           1: fetch again (sid moves on)
set -u
cd "$(dirname "$0")/.." || exit 1
B=${B:-build}
MIRROR=${REQPROF_DEBIAN_MIRROR:-http://deb.debian.org/debian}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
TRIPLET=x86_64-linux-gnu
FORMAT=2 # of what is unpacked: another number is fetched anew
FETCH_SECONDS=150

declare -A VERSIONS=([bullseye]=3.9 [trixie]=3.13 [sid]="3.14 3.15")

cache_folder() {
	local folder
	for folder in "${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/reqprof/pythons" "$PWD/${B#"$PWD"/}/pythons"; do
		mkdir -p "$folder" 2>/dev/null && [ -w "$folder" ] && echo "$folder" && return
	done
	return 1
}

# apt CONFIG_FOLDER ARGUMENT...: knows only that folder, never the system.
apt() {
	local home=$1
	shift
	APT_CONFIG=$home/apt.conf timeout "$FETCH_SECONDS" apt-get -q -y "$@" >>"$home/log" 2>&1
}

apt_prepare() { # FOLDER SUITE
	mkdir -p "$1"/state/lists/partial "$1"/archives/partial "$1"/none || return
	: >"$1/status"
	echo "deb [signed-by=$KEYRING] $MIRROR $2 main" >"$1/sources.list"
	# An unstable suite's Release file may count as expired on a mirror that stands still.
	cat >"$1/apt.conf" <<-EOF
		Dir::State "$1/state";
		Dir::State::status "$1/status";
		Dir::Cache "$1";
		Dir::Cache::archives "$1/archives";
		Dir::Etc::sourcelist "$1/sources.list";
		Dir::Etc::sourceparts "$1/none";
		Dir::Etc::preferences "$1/none/preferences";
		Dir::Etc::preferencesparts "$1/none";
		Dir::Etc::trustedparts "$1/none";
		Acquire::Check-Valid-Until "false";
		Acquire::Languages "none";
		Acquire::Retries "2";
		APT::Architecture "amd64";
		APT::Install-Recommends "false";
		APT::Sandbox::User "";
		APT::Update::Error-Mode "any";
	EOF
}

# What the machine itself compiles runs with its own C library or a newer one: an older suite's is left out.
libc_is_older() { # PACKAGE_FILE
	local version
	version=$(dpkg-deb -f "$1" Version)
	[ "$(printf '%s\n' "${version%%-*}" "$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)" | sort -V | tail -n 1)" != "${version%%-*}" ]
}

# The programs as they are use the system's dynamic linker and libraries.
give_libraries() { # FOLDER VERSION
	local root=$1 linker
	local -a linking=()
	linker=$(find "$root" -name 'ld-linux-x86-64.so.2' -path "*$TRIPLET*" | head -n 1)
	[ -z "$linker" ] || linking=(--set-interpreter "$linker")
	patchelf "${linking[@]}" --force-rpath --set-rpath "$root/lib/$TRIPLET:$root/usr/lib/$TRIPLET" "$root/usr/bin/python$2"
}

fetch() { # SUITE FOLDER
	local suite=$1 folder=$2 scratch version package got=0
	local -a packages=()
	scratch=$(mktemp -d "$folder.XXXXXX") || return
	(
		trap 'rm -rf "$scratch"' EXIT
		fail() {
			echo "$1" >&3
			exit 1
		}
		apt_prepare "$scratch" "$suite" || fail "no room for it"
		[ -r "$KEYRING" ] || fail "no $KEYRING"
		apt "$scratch" update || fail "its package lists cannot be had: $(grep -m 1 '^E:' "$scratch/log")"
		for version in ${VERSIONS[$suite]}; do
			# A suite that has moved on lacks some: the others are still wanted.
			packages=("python$version-minimal" "libpython$version-stdlib" "libpython$version")
			apt "$scratch" install --download-only "${packages[@]}" && got=$((got + 1))
		done
		[ "$got" -gt 0 ] || fail "its packages cannot be had: $(grep -m 1 '^E:' "$scratch/log")"
		apt "$scratch" install --download-only python3-greenlet
		mkdir "$scratch/root"
		for package in "$scratch"/archives/*.deb; do
			case ${package##*/} in
			libc6_*) ! libc_is_older "$package" || continue ;;
			esac
			case ${package##*/} in
			python* | lib* | media-types*) dpkg-deb -x "$package" "$scratch/root" || fail "${package##*/} cannot be unpacked" ;;
			esac
		done
		rm -rf "$folder" "$scratch/root/usr/share/doc"
		echo "$FORMAT" >"$scratch/root/format"
		mv "$scratch/root" "$folder" || fail "no room for it"
		for version in ${VERSIONS[$suite]}; do
			[ ! -x "$folder/usr/bin/python$version" ] || give_libraries "$folder" "$version" || fail "patchelf failed"
		done
		touch "$folder/complete"
	) 3>"$folder.reason"
}

complete() {
	[ -e "$1/complete" ] && [ "$(cat "$1/format" 2>/dev/null)" = "$FORMAT" ]
}

list() { # SUITE FOLDER
	local version python said
	if ! complete "$2"; then
		echo "# $1: $(head -n 1 "$2.reason" 2>/dev/null)"
		return
	fi
	for version in ${VERSIONS[$1]}; do
		python=$2/usr/bin/python$version
		if said=$("$python" -c 'import ctypes, sys; print("%d.%d.%d" % sys.version_info[:3])' 2>&1); then
			echo "$said $python"
		else
			echo "# $1: no Python $version that starts: ${said##*$'\n'}"
		fi
	done
}

for tool in apt-get dpkg-deb patchelf; do
	command -v "$tool" >/dev/null || {
		echo "# other suites: no $tool here"
		exit 0
	}
done
cache=$(cache_folder) || {
	echo "# other suites: no folder to keep them in (XDG_CACHE_HOME)"
	exit 0
}
# Two runs at once want the same; the second finds what the first fetched.
exec 9>"$cache/lock" && flock 9
for suite in ${SUITES:-bullseye trixie sid}; do
	if [ "${REFRESH:-0}" = 1 ] || ! complete "$cache/$suite"; then
		fetch "$suite" "$cache/$suite" 9>&- &
	fi
done
wait
for suite in ${SUITES:-bullseye trixie sid}; do
	list "$suite" "$cache/$suite"
done | sort -r -V
