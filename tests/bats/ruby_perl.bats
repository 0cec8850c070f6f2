# Ruby's and Perl's servers: one profile a request, of the right thread. The names of their functions are
# not known, only those of their interpreters.
load helpers
load serves

@test "puma with 4 threads, kept alive" {
	requires puma
	spawn server "${preload[@]}" puma -q -e production -t 4:4 -b "tcp://127.0.0.1:$port" "$TESTS/apps/routes.ru"
	CHECK=--unnamed serves_each server 200 6 --keep-alive
}

@test "puma with 2 workers of 2 threads, the application loaded before they fork" {
	requires puma
	spawn server "${preload[@]}" puma -q -e production -w 2 -t 2:2 --preload -b "tcp://127.0.0.1:$port" "$TESTS/apps/routes.ru"
	CHECK=--unnamed serves_each server 100 4
	is 2 "$(all_facts | jq '.["process.pid"]' | sort -u | wc -l)"
}

@test "unicorn" {
	requires unicorn
	printf 'worker_processes 2\n' >"$BATS_TEST_TMPDIR/unicorn.rb"
	spawn server "${preload[@]}" unicorn -E production -c "$BATS_TEST_TMPDIR/unicorn.rb" -l "127.0.0.1:$port" \
		"$TESTS/apps/routes.ru"
	CHECK="--unnamed --no-cpu" serves_each server 100 4
}

@test "webrick" {
	requires rackup
	spawn server "${preload[@]}" rackup -q -E production -s webrick -o 127.0.0.1 -p "$port" "$TESTS/apps/routes.ru"
	CHECK="--unnamed --no-cpu" serves_each server 100 4
}

@test "starman with 3 workers" {
	requires starman
	spawn server "${preload[@]}" starman --workers 3 --host 127.0.0.1 --port "$port" --max-requests 20 "$TESTS/apps/routes.psgi"
	# A worker's first request makes it load modules.
	CHECK="--unnamed --no-cpu" serves_each server 150 4
	[ "$(all_facts | jq '.["process.pid"]' | sort -u | wc -l)" -gt 3 ]
}

@test "plackup" {
	requires plackup
	spawn server "${preload[@]}" plackup -E production -s HTTP::Server::PSGI -o 127.0.0.1 -p "$port" "$TESTS/apps/routes.psgi"
	CHECK="--unnamed --no-cpu" serves_each server 100 4
}
