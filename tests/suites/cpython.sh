#!/bin/bash
# CPython's own regression tests with the library preloaded against the same tests bare (unittest.bash).
#
#   tests/suites/cpython.sh [full | FILE...]
#
# Without arguments those that are quick. Names with a dot are other suites'.
set -u
cd "$(dirname "$0")/../.." || exit 1

QUICK=(test_epoll test_exceptions test_faulthandler test_http_cookiejar test_httplib test_httpservers test_poll
	test_posix test_pty test_select test_selectors test_socketserver test_ssl test_thread test_wsgiref)
FULL=("${QUICK[@]}" test_asyncio test_eintr test_io test_multiprocessing_fork test_os test_signal test_socket
	test_subprocess test_threading)
# shellcheck disable=SC2034 # read by unittest.bash
EXCLUDED=(
	"*VSOCK*" "hangs without the library too, where the hypervisor offers a vsock and nobody answers on it"
)
# shellcheck source=tests/suites/unittest.bash
. tests/suites/unittest.bash

case ${1:-} in
full) files=("${FULL[@]}") ;;
"") files=("${QUICK[@]}") ;;
*.*)
	echo "1..0 # SKIP no tests of CPython's asked for"
	exit 0
	;;
*) files=("$@") ;;
esac
suite_needs test.test_socket libpython3.11-testsuite
suite_run "CPython's" "${files[@]}"
