# Profiles are pprof profiles: Go's own pprof tool reads them as they are.
load helpers
load fixtures

setup_file() {
	export BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
	python_profiles "$BATS_FILE_TMPDIR/python" 2
	native_profiles "$BATS_FILE_TMPDIR/native"
}
teardown_file() { reap; }
setup() {
	requires go perf
	export PPROF_TMPDIR=$BATS_TEST_TMPDIR HOME=$BATS_TEST_TMPDIR GOFLAGS=-mod=mod
	shares=$(printf '%s\n' "$BATS_FILE_TMPDIR"/python/GET.shares* | head -n 1)
}
pprof() { go tool pprof -nodecount=10000 -nodefraction=0 -edgefraction=0 "$@" 2>"$BATS_TEST_TMPDIR/pprof.log"; }

# "Showing nodes accounting for 380, 100% of 380 total" -> 380
total() { sed -nE 's/^Showing nodes accounting for .* of ([0-9]+)[a-z]* total.*/\1/p' <<<"$1"; }

@test "go tool pprof -top names the functions of a Python profile" {
	top=$(pprof -top -sample_index=samples "$shares")
	cat "$BATS_TEST_TMPDIR/pprof.log"
	for function in sixty thirty ten in_hashlib recursion generator 'Engine.class_method' 'enclosing.<locals>.inner'; do
		grep -qF "$function" <<<"$top" || { echo "$function is not in:"; echo "$top"; return 1; }
	done
}

@test "its totals are the file's" {
	local key index
	for index in samples:reqprof.samples wall:reqprof.wall_ns; do
		key=${index#*:}
		index=${index%:*}
		top=$(pprof -top -unit=nanoseconds -sample_index="$index" "$shares")
		is "$(facts "$shares" | jq ".[\"$key\"]")" "$(total "$top")" "$index:"
	done
}

@test "wall is the value that pprof shows first" {
	pprof -top "$shares" | grep -q '^Type: wall'
}

@test "pprof's own -peek and -traces work on it" {
	pprof -traces "$shares" | grep -q sixty
	pprof -peek 'sixty' "$shares" | grep -q sixty
}

@test "pprof reads a profile of a C server" {
	local file
	file=$(printf '%s\n' "$BATS_FILE_TMPDIR"/native/GET.r1* | head -n 1)
	top=$(pprof -top -unit=nanoseconds "$file")
	cat "$BATS_TEST_TMPDIR/pprof.log"
	is "$(facts "$file" | jq '.["reqprof.wall_ns"]')" "$(total "$top")"
}

@test "a merged pprof export has names for all, and the sum of its files" {
	"$REQPROF" export -f pprof -o "$BATS_TEST_TMPDIR/merged.pb.gz" "$BATS_FILE_TMPDIR/native"
	top=$(pprof -top -sample_index=samples "$BATS_TEST_TMPDIR/merged.pb.gz")
	cat "$BATS_TEST_TMPDIR/pprof.log"
	for route in route_1 route_2 route_3; do
		grep -q "$route" <<<"$top" || { echo "$route is not in:"; echo "$top"; return 1; }
	done
	is "$(facts "$BATS_FILE_TMPDIR"/native/*.pprof | jq -s 'map(.["reqprof.samples"]) | add')" "$(total "$top")"
}

@test "go tool pprof merges files of two requests by itself" {
	top=$(pprof -top -sample_index=samples "$BATS_FILE_TMPDIR"/python/GET.shares*)
	is "$(facts "$BATS_FILE_TMPDIR"/python/GET.shares* | jq -s 'map(.["reqprof.samples"]) | add')" "$(total "$top")"
}
