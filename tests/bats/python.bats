# Pythons other than one plain Debian interpreter: several in a process, other builds, other versions.
load helpers
load placement

setup() {
	requires perf
	use_profiles
	port=$(free_port)
	answers=$BATS_TEST_TMPDIR/answers
}

# The first python3 of this version that is no shim of pyenv's; skips the test when there is none.
python_of_version() {
	local candidate suites
	suites=$(XDG_CACHE_HOME=$USERS_CACHE "$TESTS/pythons.sh" | sed -n "s/^$1\.[0-9]* //p")
	for candidate in "/usr/local/bin/python$1" "$suites" ~/.pyenv/versions/"$1".*/bin/python3 /opt/python*/bin/"python$1"; do
		[ -x "$candidate" ] && "$candidate" -c '' 2>/dev/null && {
			echo "$candidate"
			return
		}
	done
	return 1
}

serves_routes() {
	local said
	server_up server "$port"
	said=$(for i in $(seq 120); do echo "/r$((i % 16))/$i"; done |
		load_client --port "$port" --concurrency 4 --out "$answers")
	is "200 120" "$said"
	settle "$server_pid" 120
}

@test "uwsgi with an interpreter for each application: each one's frames are seen" {
	requires uwsgi
	sed 's/route_/first_route_/g' "$TESTS/apps/routes.py" >"$BATS_TEST_TMPDIR/first.py"
	sed 's/route_/second_route_/g' "$TESTS/apps/routes.py" >"$BATS_TEST_TMPDIR/second.py"
	spawn server "${preload[@]}" "${UWSGI[@]}" -M --die-on-term --http-socket "127.0.0.1:$port" --threads 3 \
		--manage-script-name --mount "/first=$BATS_TEST_TMPDIR/first.py" \
		--mount "/second=$BATS_TEST_TMPDIR/second.py"
	server_up server "$port"
	is "200 120" "$(for i in $(seq 60); do
		echo "/first/r$((i % 16))/$i"
		echo "/second/r$((i % 16))/$i"
	done | load_client --port "$port" --concurrency 4)"
	settle "$server_pid" 120
	# Every file's route function is its own application's and number's.
	all_facts -s | jq -r '(.["url.path"] | split("/") | "\(.[1])_route_\(.[2][1:])") as $own |
		[.stacks[].frames[] | .name // "" | select(test("_route_[0-9]"))] | unique |
		map(select(. != $own)) | .[] | "\($own): \(.)"' >"$BATS_TEST_TMPDIR/foreign"
	is "" "$(cat "$BATS_TEST_TMPDIR/foreign")"
	[ "$(all_facts -s | jq -r '.stacks[].frames[].name // ""' | grep -c 'first_route_')" -gt 100 ]
	[ "$(all_facts -s | jq -r '.stacks[].frames[].name // ""' | grep -c 'second_route_')" -gt 100 ]
}

@test "a Python 3.11 built from source is read like Debian's" {
	local python
	python=$(python_of_version 3.11) || skip "no other Python 3.11 here"
	spawn server "${preload[@]}" "$python" "$TESTS/apps/routes.py" "$port"
	serves_routes
	"$PYTHON" "$TESTS/clients/check_routes.py" "$answers" "$profiles" 6
}

@test "every other Python: its frames, or native stacks only and the file says so" {
	local python version tried=0
	for version in 3.7 3.8 3.9 3.10 3.12 3.13 3.14 3.15; do
		python=$(python_of_version "$version") || continue
		tried=$((tried + 1))
		use_profiles "$BATS_TEST_TMPDIR/profiles-$version"
		port=$(free_port)
		spawn server "${preload[@]}" "$python" "$TESTS/apps/routes.py" "$port"
		serves_routes
		all_facts | jq -r '.["reqprof.python"]' | sort -u >"$BATS_TEST_TMPDIR/said"
		is 1 "$(wc -l <"$BATS_TEST_TMPDIR/said")"
		case $(cat "$BATS_TEST_TMPDIR/said") in
		unsupported*) is "" "$(all_facts -s | jq -r '.stacks[].frames[] | select(.kind == "python") | .name')" ;;
		"$version".*) "$PYTHON" "$TESTS/clients/check_routes.py" "$answers" "$profiles" 6 ;;
		*)
			cat "$BATS_TEST_TMPDIR/said" >&2
			return 1
			;;
		esac
	done
	[ "$tried" -gt 0 ] || skip "no other Python here"
}

@test "REQPROF_STACKS=python takes no native frame, native no Python one" {
	local kind
	for kind in python native; do
		use_profiles "$BATS_TEST_TMPDIR/profiles-$kind"
		port=$(free_port)
		spawn server "${preload[@]}" "REQPROF_STACKS=$kind" "$PYTHON" "$TESTS/apps/routes.py" "$port"
		serves_routes
		is "$kind" "$(all_facts -s | jq -r '.stacks[] | select(.labels.state != "kernel") | .frames[].kind' | grep -v pseudo | sort -u)"
	done
}

@test "stacks go from the thread's start to the line that runs, Python and native in turn" {
	spawn server "${preload[@]}" "$PYTHON" "$TESTS/apps/routes.py" "$port"
	serves_routes
	all_facts -s | jq -s -e '
		[.[].stacks[] | select(.values[0] > 0)] as $stacks |
		($stacks | length > 300) and
		# Rootward end: the C entry of the program.
		(($stacks | map(select(.frames[-1].kind == "native")) | length) > ($stacks | length) * 0.95) and
		# Every whole stack has the way from serve_forever to application.
		(($stacks | map(select([.frames[].name // ""] | index("BaseServer.serve_forever") and index("application")))
			| length) > ($stacks | length) * 0.9)'
}
