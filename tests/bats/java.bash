# Java as tests need it. Load it after helpers.

# Runs tests/apps/Burning.java's routes with names in the JVM's map: only they are compiled, since what is interpreted
# has no frames that can be walked through, nor names.
# shellcheck disable=SC2034
java_named=(-XX:+PreserveFramePointer -Xcomp "-XX:CompileCommand=compileonly,Burning::route_*"
	"-XX:CompileCommand=dontinline,Burning::route_*")

# The JDK's tools are not all on PATH.
java_map() { "$(dirname "$(readlink -f "$(command -v javac)")")/jcmd" "$1" Compiler.perfmap >/dev/null; }

requires_tomcat() { [ -d /usr/share/tomcat10 ] || skip "tomcat10 is not installed"; }

# spawn_tomcat CONNECTOR WORD...: one servlet that answers everything, tests/apps/routes.jsp, or of the class SERVLET
# in WEB-INF/classes; and nothing that takes time to start. JAVA: more options of java's, an array.
spawn_tomcat() {
	local base=$BATS_TEST_TMPDIR/tomcat connector=$1
	local what="<jsp-file>/routes.jsp</jsp-file>"
	[ -z "${SERVLET:-}" ] || what="<servlet-class>$SERVLET</servlet-class>"
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
				<servlet-name>routes</servlet-name>$what<load-on-startup>1</load-on-startup>
			</servlet>
			<servlet>
				<servlet-name>jsp</servlet-name><servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class>
				<init-param><param-name>development</param-name><param-value>false</param-value></init-param>
				<load-on-startup>1</load-on-startup>
			</servlet>
			<servlet-mapping><servlet-name>routes</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
		</web-app>
	END
	spawn tomcat "$@" java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -Xmx128m "${JAVA[@]}" \
		-cp /usr/share/tomcat10/bin/bootstrap.jar:/usr/share/tomcat10/bin/tomcat-juli.jar \
		"-Dcatalina.home=/usr/share/tomcat10" "-Dcatalina.base=$base" "-Djava.io.tmpdir=$base/temp" \
		org.apache.catalina.startup.Bootstrap start
	server_up tomcat "$port"
}
