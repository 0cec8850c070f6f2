# Tomcat 10: by HTTP, and by AJP behind apache. One profile a request.
load helpers
load serves
load apaches
load tls

setup_file() { make_certificate; }

setup() {
	requires perf java
	[ -d /usr/share/tomcat10 ] || skip "tomcat10 is not installed"
	use_profiles
	use_certificate
	port=$(free_port)
	answers=$BATS_TEST_TMPDIR/answers
}

# spawn_tomcat CONNECTOR WORD...: one page that answers everything, and nothing that takes time to start.
spawn_tomcat() {
	local base=$BATS_TEST_TMPDIR/tomcat connector=$1
	shift
	mkdir -p "$base"/{conf,logs,temp,work,webapps/ROOT/WEB-INF}
	cp "$TESTS/apps/routes.jsp" "$base/webapps/ROOT/"
	cat >"$base/conf/server.xml" <<-END
		<Server port="-1"><Service name="Catalina">
			$connector
			<Engine name="Catalina" defaultHost="localhost">
				<Host name="localhost" appBase="webapps" autoDeploy="false" deployOnStartup="false">
					<Context path="" docBase="ROOT"><JarScanner scanClassPath="false" scanManifest="false"/></Context>
				</Host>
			</Engine>
		</Service></Server>
	END
	cat >"$base/conf/web.xml" <<-END
		<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0" metadata-complete="true">
			<servlet>
				<servlet-name>routes</servlet-name><jsp-file>/routes.jsp</jsp-file><load-on-startup>1</load-on-startup>
			</servlet>
			<servlet>
				<servlet-name>jsp</servlet-name><servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class>
				<init-param><param-name>development</param-name><param-value>false</param-value></init-param>
				<load-on-startup>1</load-on-startup>
			</servlet>
			<servlet-mapping><servlet-name>routes</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
		</web-app>
	END
	spawn tomcat "$@" java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -Xmx128m \
		-cp /usr/share/tomcat10/bin/bootstrap.jar:/usr/share/tomcat10/bin/tomcat-juli.jar \
		"-Dcatalina.home=/usr/share/tomcat10" "-Dcatalina.base=$base" "-Djava.io.tmpdir=$base/temp" \
		org.apache.catalina.startup.Bootstrap start
	server_up tomcat "$port"
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
