# Tomcat: a pool's threads, each of which serves one request at a time, by HTTP and by AJP behind apache. (--least: a
# busy machine does not deliver every tick; --cpu does not need them.)
load helpers
load serves
load attribution
load apaches
load java

# spawn_burning CONNECTOR [WORD...]: on $port.
spawn_burning() {
	requires java javac
	requires_tomcat
	local JAVA=("${java_named[@]}") classes=$BATS_TEST_TMPDIR/tomcat/webapps/ROOT/WEB-INF/classes
	mkdir -p "$classes"
	javac -cp /usr/share/tomcat10/lib/servlet-api.jar -d "$classes" "$TESTS"/apps/Burning{,Servlet}.java
	SERVLET=BurningServlet spawn_tomcat "$1" "${@:2}" "${preload[@]}"
}

@test "tomcat by HTTP" {
	spawn_burning "<Connector port='$port' address='127.0.0.1' maxThreads='34' maxKeepAliveRequests='-1'/>"
	PERF_MAP=1 MAPPED_BY=java_map attributed tomcat close,keep,slow,abort,pipeline --least 0.6 --cpu 0.98
}

# (Of requests that were sent at once apache keeps the answers back until it has them all: while it asks for the later
# ones, they have not begun.)
@test "tomcat by AJP behind apache: its work is in its profiles, and none in apache's" {
	requires apache2
	apache_readable
	local back=$port as=()
	# (Both count in one place when they are one user's.)
	[ "$user" = "$(id -un)" ] || as=(setpriv --reuid "$user" --regid "$user" --clear-groups)
	install -d -o "$user" "$BATS_TEST_TMPDIR"/tomcat/{logs,temp,work}
	spawn_burning "<Connector protocol='AJP/1.3' port='$port' address='127.0.0.1' secretRequired='false' maxThreads='34'/>" "${as[@]}"
	port=$(free_port)
	spawn_apache worker "LoadModule proxy_module $modules/mod_proxy.so
		LoadModule proxy_ajp_module $modules/mod_proxy_ajp.so
		ProxyPass / ajp://127.0.0.1:$back/" "${preload[@]}"
	ROUTER=1 PERF_MAP=1 MAPPED_BY=java_map attributed tomcat close,keep,slow,abort --least 0.6 --cpu 0.98
}
