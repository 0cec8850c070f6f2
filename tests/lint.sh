#!/bin/bash
# Cheap guards on the tree and on what was built. Prints TAP.
cd "$(dirname "$0")/.." || exit 1
B=${B:-build}
number=0 failed=0

# check TITLE COMMAND...: passes when the command succeeds; what it says explains a failure.
check() {
	local title=$1 said
	shift
	number=$((number + 1))
	if said=$("$@" 2>&1); then
		echo "ok $number - $title"
	else
		failed=$((failed + 1))
		# shellcheck disable=SC2001 # every line, not the first
		sed 's/^/# /' <<<"$said"
		echo "not ok $number - $title"
	fi
}
# quiet COMMAND...: succeeds when the command prints nothing.
quiet() {
	local said
	said=$("$@" 2>&1)
	[ -z "$said" ] || { echo "$said"; false; }
}

scripts_pass_shellcheck() {
	local -a scripts bats
	mapfile -t scripts < <(grep -rlE '^#!/bin/(ba)?sh' tests .ci --exclude-dir=data)
	mapfile -t bats < <(find tests/bats -name '*.bats' -o -name '*.bash')
	shellcheck -x "${scripts[@]}" || return
	# Bats: each @test runs in a subshell, files load each other, and quoted programs are meant so.
	shellcheck -s bats -e SC1091,SC2016,SC2030,SC2031,SC2034,SC2153,SC2154 "${bats[@]}"
}

python_compiles() {
	find tests -name '*.py' -print0 | xargs -0 /usr/bin/python3 -c '
import sys
for path in sys.argv[1:]:
    with open(path) as file:
        compile(file.read(), path, "exec")'
}

# Its .c includes it first, and nothing else is needed: each header stands alone.
headers_compile_alone() {
	local header bad=0
	for header in $(find preload tools format -name '*.h' | sort); do
		gcc -std=gnu11 -D_GNU_SOURCE -I. -Wall -Werror -fsyntax-only -x c - <<<"#include \"$header\"
#include \"$header\"
typedef int not_empty;" || bad=1
	done
	return $bad
}

# The arrows between the rooms, as reqprof(7)'s authors drew them: who may include whom.
includes_of() { grep -rnE '^#include "' --include='*.[ch]' "$1" 2>/dev/null; }
only_includes() { # ROOM PREFIX...
	local room=$1 allowed
	shift
	allowed=$(printf '|%s' "$room" "$@")
	# raw.h is bare system calls, needed wherever the libc call is one that we stand in front of; monotonic.h
	# the clock, where another library's may stand in front of libc's; nanoseconds.h and words.h are a line of arithmetic.
	quiet grep -vE "#include \"(${allowed#|}|preload/sigsafe/(raw|monotonic).h|format/(nanoseconds|words).h)" < <(includes_of "$room")
}
rooms_keep_to_their_arrows() {
	local bad=0
	only_includes preload/wire || bad=1
	only_includes format || bad=1
	only_includes preload/track preload/wire || bad=1
	only_includes preload preload format || bad=1
	only_includes tools/symbol tools/base || bad=1
	only_includes tools/model tools/base format tools/symbol/symbol.h || bad=1
	only_includes tools tools format || bad=1
	return $bad
}

each_c_file_includes_its_header_first() {
	local file header first bad=0
	for file in $(find preload tools format -name '*.c' | sort); do
		header=${file%.c}.h
		[ -e "$header" ] || continue
		first=$(grep -m1 '^#include' "$file")
		[ "$first" = "#include \"$header\"" ] || {
			echo "$file: $first"
			bad=1
		}
	done
	return $bad
}

library_and_tool_are_built() { [ -e "$B/libreqprof.so" ] && [ -x "$B/reqprof" ]; }
library_needs_only_libc() {
	quiet grep -vE 'lib(c|dl|pthread|rt|m)\.so|ld-linux' < <(
		readelf -dW "$B/libreqprof.so" | grep '(NEEDED)')
}
library_binds_everything_at_start() { readelf -dW "$B/libreqprof.so" | grep -q NOW; }
library_has_no_text_relocations() { ! readelf -dW "$B/libreqprof.so" | grep TEXTREL; }
library_stack_is_not_executable() {
	readelf -lW "$B/libreqprof.so" | awk '/GNU_STACK/ { found = 1; if (/RWE/) exit 1 } END { exit !found }'
}
# A TLS model other than initial-exec may allocate at the first touch, in a signal handler.
library_thread_locals_are_initial_exec() {
	! readelf -rW "$B/libreqprof.so" | grep -E 'DTPMOD|TLSDESC'
}

pages_are_clean_mdoc() {
	local page bad=0
	for page in man/*.[157]; do
		quiet groff -mdoc -ww -z "$page" || bad=1
		quiet mandoc -T lint -W warning "$page" || bad=1
	done
	return $bad
}
subcommands() { "$B/reqprof" --help | sed -nE 's/^ {2,}([a-z]+) {2,}.*/\1/p'; }
each_subcommand_has_a_page() {
	local command bad=0
	[ -n "$(subcommands)" ] || { echo "reqprof --help names no subcommand"; return 1; }
	for command in $(subcommands); do
		[ "$command" = help ] || [ -e "man/reqprof-$command.1" ] || {
			echo "no man/reqprof-$command.1"
			bad=1
		}
	done
	for command in 1 7; do
		[ -e "man/reqprof.$command" ] || { echo "no man/reqprof.$command"; bad=1; }
	done
	[ -e man/reqprof-profile.5 ] || { echo "no man/reqprof-profile.5"; bad=1; }
	return $bad
}
# Both ways: an option that --help shows and the page lacks, and one that only the page has.
options_of_help() { "$B/reqprof" "$1" --help | grep -oE '(^|[ ,[|])--[a-z][a-z-]*' | grep -oE -e '--[a-z-]+' | sort -u; }
options_of_page() {
	mandoc -T ascii "$1" | col -b | sed -n '/^DESCRIPTION/,/^[A-Z]/p; /^OPTIONS/,/^[A-Z]/p' |
		grep -E '^ {5,}-' | grep -oE -e '--[a-z][a-z-]*' | sort -u
}
options_agree_with_pages() {
	local command page option bad=0
	for command in $(subcommands); do
		page=man/reqprof-$command.1
		[ -e "$page" ] || continue
		for option in $(options_of_help "$command"); do
			[ "$option" = --help ] || mandoc -T ascii "$page" | col -b | grep -qE -e "$option([^a-z-]|\$)" || {
				echo "$command $option is not in $page"
				bad=1
			}
		done
		for option in $(options_of_page "$page"); do
			"$B/reqprof" "$command" --help | grep -qE -e "$option([^a-z-]|\$)" || {
				echo "$page has $option, reqprof $command --help has not"
				bad=1
			}
		done
	done
	return $bad
}
each_page_has_examples_and_exit_status() {
	local page bad=0
	for page in man/*.1; do
		grep -q '^\.Sh EXAMPLES' "$page" || { echo "$page: no EXAMPLES"; bad=1; }
		grep -q '^\.Sh EXIT STATUS' "$page" || { echo "$page: no EXIT STATUS"; bad=1; }
	done
	return $bad
}
each_setting_is_in_the_manual() {
	local name bad=0
	for name in $(grep -oE '"REQPROF_[A-Z_]+"' format/env.h | tr -d '"'); do
		grep -q "$name" man/reqprof.7 || { echo "$name is not in man/reqprof.7"; bad=1; }
	done
	return $bad
}

help_lists_the_targets() {
	local target bad=0
	for target in deps demo check fuzz bench install clean; do
		make -s help | grep -qE "^make $target\b" || { echo "make $target"; bad=1; }
	done
	return $bad
}

check "shell scripts pass shellcheck" scripts_pass_shellcheck
check "Python files compile" python_compiles
check "headers compile alone and twice" headers_compile_alone
check "each .c file includes its own header first" each_c_file_includes_its_header_first
check "rooms include only what their arrows allow" rooms_keep_to_their_arrows
check "the library and the tool are built" library_and_tool_are_built
check "the library needs libc only" library_needs_only_libc
check "the library binds every symbol at start" library_binds_everything_at_start
check "the library has no text relocations" library_has_no_text_relocations
check "the library asks for no executable stack" library_stack_is_not_executable
check "the library's thread-local storage never allocates" library_thread_locals_are_initial_exec
check "manual pages are clean mdoc" pages_are_clean_mdoc
check "each subcommand has a manual page" each_subcommand_has_a_page
check "options in --help and in the pages agree" options_agree_with_pages
check "each command's page has EXAMPLES and EXIT STATUS" each_page_has_examples_and_exit_status
check "each REQPROF_ setting is in reqprof(7)" each_setting_is_in_the_manual
check "make help lists the targets" help_lists_the_targets
echo "1..$number"
[ "$failed" -eq 0 ]
