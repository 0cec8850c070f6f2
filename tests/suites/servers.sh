#!/bin/bash
# The tests that Tornado and Twisted come with, preloaded against bare (unittest.bash): event loops, sockets, signals and
# processes as servers use them.
#
#   tests/suites/servers.sh [full | MODULE...]
#
# Without arguments those that are quick. Names without a dot are CPython's.
set -u
cd "$(dirname "$0")/../.." || exit 1

QUICK=(tornado.test.httpserver_test tornado.test.process_test tornado.test.web_test tornado.test.websocket_test
	twisted.internet.test.test_epollreactor twisted.internet.test.test_sigchld twisted.test.test_tcp
	twisted.web.test.test_http twisted.web.test.test_webclient)
FULL=("${QUICK[@]}" tornado.test.ioloop_test tornado.test.iostream_test tornado.test.simple_httpclient_test
	twisted.internet.test.test_threads twisted.web.test.test_wsgi tornado.test.netutil_test tornado.test.tcpserver_test
	twisted.internet.test.test_process twisted.internet.test.test_tcp twisted.internet.test.test_unix
	twisted.test.test_process)
# shellcheck disable=SC2034 # read by unittest.bash
EXCLUDED=()
# shellcheck source=tests/suites/unittest.bash
. tests/suites/unittest.bash

case ${1:-} in
full) files=("${FULL[@]}") ;;
"") files=("${QUICK[@]}") ;;
*.*) files=("$@") ;;
*)
	echo "1..0 # SKIP only tests of CPython's asked for"
	exit 0
	;;
esac
suite_needs tornado.test python3-tornado
suite_needs twisted.web.test python3-twisted
suite_run "servers'" "${files[@]}"
