<%@ page import="java.lang.management.*, java.util.regex.*" session="false" contentType="text/plain"
    trimDirectiveWhitespaces="true" %><%!
// tests/apps/routes.py for servlet containers, in one method: names of compiled methods are not known.
static final long MILLISECONDS = 6;
static final Pattern ROUTE = Pattern.compile("/r(\\d+)/.*");

static long burn(ThreadMXBean clock, long until) {
  long total = 0;
  while (clock.getCurrentThreadCpuTime() < until) {
    for (int i = 0; i < 1000; i++) total += i;
  }
  return total;
}
%><%
Matcher match = ROUTE.matcher(request.getRequestURI());
if (!match.matches()) {
  response.setStatus(404);
  return;
}
ThreadMXBean clock = ManagementFactory.getThreadMXBean();
burn(clock, clock.getCurrentThreadCpuTime() + MILLISECONDS * 1000000);
out.print("route=" + match.group(1) + " path=" + request.getRequestURI()
    + " pid=" + ProcessHandle.current().pid() + "\n");
%>
