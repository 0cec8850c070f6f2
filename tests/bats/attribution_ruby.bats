# Ruby's servers: threads that take turns by the interpreter's lock. Ruby's functions have no names in native stacks:
# each route works in a library that no other one uses. (--least: a busy machine does not deliver every tick; --cpu
# does not need them.)
load helpers
load attribution

# puma_burns MANNERS OPTION...  (Busy, it closes a connection after its tenth request.)
puma_burns() {
	requires puma
	spawn server "${preload[@]}" puma -q -e production "${@:2}" -b "tcp://127.0.0.1:$port" "$TESTS/apps/burning.ru"
	KEPT=9 attributed server "$1" --marks ruby --least 0.45 --cpu 0.98
}

@test "puma with threads" {
	puma_burns close,keep,slow,abort,pipeline -t 8:8
}

@test "puma with workers that fork when the application is loaded" {
	puma_burns close,keep,slow,abort,pipeline -w 2 -t 4:4 --preload
}
