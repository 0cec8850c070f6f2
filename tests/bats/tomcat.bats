# Tomcat 10: by HTTP, and by AJP behind apache. One profile a request.
load helpers
load serves
load apaches
load java
load tls

setup_file() { make_certificate; }

setup() {
	requires perf java
	requires_tomcat
	use_profiles
	use_certificate
	port=$(free_port)
	answers=$BATS_TEST_TMPDIR/answers
}

@test "HTTP on kept connections: one profile a request" {
	spawn_tomcat "<Connector port='$port' address='127.0.0.1' maxThreads='6' minSpareThreads='2'/>" "${preload[@]}"
	CHECK="--unnamed --no-cpu" serves_each tomcat 200 4 --keep-alive
}

@test "AJP behind apache, both with the library: a proxy's profile and tomcat's" {
	requires apache2
	apache_readable
	local front
	spawn_tomcat "<Connector protocol='AJP/1.3' port='$port' address='127.0.0.1' secretRequired='false' maxThreads='6'/>" \
		env "LD_PRELOAD=$LIBREQPROF" "REQPROF_DIR=$profiles"
	front=$port
	port=$(free_port)
	spawn_apache event "LoadModule proxy_module $modules/mod_proxy.so
		LoadModule proxy_ajp_module $modules/mod_proxy_ajp.so
		ProxyPass / ajp://127.0.0.1:$front/" "${preload[@]}"
	is "200 100" "$(route_paths 100 | load_client --port "$port" --concurrency 4 --out "$answers")"
	stop "$apache_pid"
	settle "$tomcat_pid" 200
	"$PYTHON" "$TESTS/clients/check_routes.py" --router --unnamed --no-cpu "$answers" "$profiles" 6
	is "100 ajp server 100 http/1.1 proxy" "$(all_facts |
		jq -r '"\(.["network.protocol.name"]) \(.["reqprof.role"])"' | sort | uniq -c | xargs)"
}
