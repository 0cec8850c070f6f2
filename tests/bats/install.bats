# make install: what is installed works from where it is installed.
load helpers

setup() {
	use_profiles
	port=$(free_port)
	root=$BATS_TEST_TMPDIR/root
	make -s -C "$TESTS/.." install "B=$(cd "$B" && pwd)" PREFIX=/usr "DESTDIR=$root" >/dev/null
}

@test "an installed reqprof finds its library and profiles a server" {
	spawn server "$root/usr/bin/reqprof" run -o "$profiles" -- "$PROGRAMS/threaded_server" "$port" accept 1
	server_up server "$port"
	get /r1/1 >/dev/null
	settle "$server_pid" 1
	"$root/usr/bin/reqprof" ls --json "$profiles" | jq -e 'length == 1'
}

@test "pages are installed where man looks" {
	[ -e "$root/usr/share/man/man1/reqprof.1" ]
	[ -e "$root/usr/share/man/man1/reqprof-ls.1" ]
	[ -e "$root/usr/share/man/man5/reqprof-profile.5" ]
	[ -e "$root/usr/share/man/man7/reqprof.7" ]
}

@test "make uninstall leaves nothing" {
	make -s -C "$TESTS/.." uninstall PREFIX=/usr "DESTDIR=$root"
	is "" "$(find "$root" ! -type d)"
}
