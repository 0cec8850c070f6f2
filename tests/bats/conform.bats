# Every function that the library stands in front of does what libc's does: results, errno, partial
# work, bad addresses, signals, cancellation. The programs (tests/programs/conform_*.c) say what
# happened, inside an HTTP request; they must say the same with the library.
load helpers
load table

setup() { use_profiles; }

# same PROGRAM [N]: bare; sampled by perf events; sampled by the thread's CPU timer. It makes N requests (1).
same() {
	local said=$BATS_TEST_TMPDIR/said way
	local -a fast=("${preload[@]}" REQPROF_RATE=9970)
	"$PROGRAMS/$1" >"$said.bare" 2>&1
	"${fast[@]}" "$PROGRAMS/$1" >"$said.perf" 2>&1
	"$PROGRAMS/deny_syscall" perf_event_open 1 "${fast[@]}" "$PROGRAMS/$1" >"$said.timer" 2>&1
	grep '^==' "$said.bare" >"$BATS_FILE_TMPDIR/$1.cases"
	for way in perf timer; do
		diff "$said.bare" "$said.$way" >&2
	done
	# It was at work both times.
	is "$((2 * ${2:-1}))" "$(facts "$profiles"/POST.conform.*.pprof | wc -l)" "profiles:"
	[ "$(facts "$profiles"/POST.conform.*.pprof | jq -s 'map(.["reqprof.samples"]) | add')" -gt 20 ]
}

@test "reading and writing" { same conform_stream; }
@test "signal actions and masks, waiting for signals, small stacks" { same conform_signal; }
@test "signals out of descriptors" { same conform_signalfd; }
@test "locks, conditions, semaphores, ends of threads" { same conform_lock; }
@test "files at offsets, file locks" { same conform_file; }
@test "waiting for descriptors, time and names" { same conform_wait; }
@test "descriptors made, copied, connected and closed" { same conform_socket 2; }
@test "children, commands, ends, modules, vfork" {
	same conform_process
	# Children closed its connection, in their own tables.
	is "complete complete" "$(facts "$profiles"/POST.conform.*.pprof | jq -r '.["reqprof.end"]' | xargs)"
}
@test "cancelling a thread in each call that waits" { same conform_cancel; }
@test "waiting for signals in each way" { same conform_suspend; }
@test "System V, pages of pipes, room in files, random numbers, waits by number" { same conform_ipc; }
@test "what other threads of libc's do, and waiting for it" { same conform_completion; }
@test "OpenSSL, reading and writing" { same conform_tls; }

@test "each of the programs above is run" {
	diff <(grep -oE 'same conform_[a-z0-9_]+' "$BATS_TEST_FILENAME" | sed 's/same //' | sort) \
		<(basename -s .c "$TESTS"/programs/conform_*.c | sort)
}

@test "every function of the hook table has a case" {
	local program
	for program in "$TESTS"/programs/conform_*.c; do
		program=$(basename "$program" .c)
		[ -s "$BATS_FILE_TMPDIR/$program.cases" ] ||
			"$PROGRAMS/$program" 2>&1 | grep '^==' >"$BATS_FILE_TMPDIR/$program.cases"
	done
	is "" "$(comm -23 <(table) <(cut -d' ' -f2 "$BATS_FILE_TMPDIR"/*.cases | sort -u) | xargs)" "no case for:"
}
