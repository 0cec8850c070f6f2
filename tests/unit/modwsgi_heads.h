/*
 * What apache 2.4 with mod_wsgi 4.9.4 sent to a daemon process for requests of curl's (paths replaced
 * by others of the same length).
 */
#ifndef REQPROF_TESTS_UNIT_MODWSGI_HEADS_H
#define REQPROF_TESTS_UNIT_MODWSGI_HEADS_H

/* clang-format off */

static const char apache_get[] =
	"\317\005\000\000\000\000\000\000X\000\000\000\000\000\000\000GATEWAY_INTERFACE\000CGI/1.1"
	"\000SERVER_PROTOCOL\000HTTP/1.1\000REQUEST_METHOD\000GET\000QUERY_STRING\000x=1\000REQUEST"
	"_URI\000/hello/a%20b?x=1\000SCRIPT_NAME\000\000PATH_INFO\000/hello/a b\000PATH_TRANSLATED"
	"\000/srv/www/example/apps/x/echo.py/hello/a b\000HTTP_HOST\000127.0.0.1:18081\000HTTP_USER"
	"_AGENT\000curl/7.88.1\000HTTP_ACCEPT\000*/*\000HTTP_TRACEPARENT\00000-4bf92f3577b34da6a3ce"
	"929d0e0e4736-00f067aa0ba902b7-01\000PATH\000/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/"
	"bin:/sbin:/bin:/opt/example/bin:/opt/example/bin:/opt/example/bin:/opt/example/bin:/opt/ex"
	"ample/bin:/opt/example/bin:/opt/example/bin:/opt/example/b\000SERVER_SIGNATURE\000\000SERV"
	"ER_SOFTWARE\000Apache/2.4.71 (Debian) mod_wsgi/4.9.4 Python/3.11\000SERVER_NAME\000127.0.0"
	".1\000SERVER_ADDR\000127.0.0.1\000SERVER_PORT\00018081\000REMOTE_ADDR\000127.0.0.1\000DOCU"
	"MENT_ROOT\000/var/www/html\000REQUEST_SCHEME\000http\000CONTEXT_PREFIX\000\000CONTEXT_DOCU"
	"MENT_ROOT\000/var/www/html\000SERVER_ADMIN\000admin@example.org.\000SCRIPT_FILENAME\000/sr"
	"v/www/example/apps/x/echo.py\000REMOTE_PORT\00035338\000mod_wsgi.script_name\000\000mod_ws"
	"gi.path_info\000/hello/a b\000mod_wsgi.process_group\000app\000mod_wsgi.application_group"
	"\000\000mod_wsgi.callable_object\000application\000mod_wsgi.request_handler\000wsgi-script"
	"\000mod_wsgi.handler_script\000\000mod_wsgi.script_reloading\0001\000mod_wsgi.listener_hos"
	"t\000127.0.0.1\000mod_wsgi.listener_port\00018081\000mod_wsgi.enable_sendfile\0000\000mod_"
	"wsgi.ignore_activity\0000\000mod_wsgi.request_start\0001795570516849501\000mod_wsgi.reques"
	"t_id\000XXPT1qf2PtU\000mod_wsgi.magic\0002ce0c9ce83e6aea3ae4984d5f3322b1a\000mod_wsgi.queu"
	"e_start\0001795570516851261\000mod_wsgi.daemon_connects\0001\000mod_wsgi.daemon_restarts"
	"\0000\0000\r\n\r\n";

static const char apache_post[] =
	"\253\005\000\000\000\000\000\000Z\000\000\000\000\000\000\000GATEWAY_INTERFACE\000CGI/1.1"
	"\000SERVER_PROTOCOL\000HTTP/1.1\000REQUEST_METHOD\000POST\000QUERY_STRING\000\000REQUEST_U"
	"RI\000/post\000SCRIPT_NAME\000\000PATH_INFO\000/post\000PATH_TRANSLATED\000/srv/www/exampl"
	"e/apps/x/echo.py/post\000HTTP_HOST\000127.0.0.1:18081\000HTTP_USER_AGENT\000curl/7.88.1"
	"\000HTTP_ACCEPT\000*/*\000CONTENT_LENGTH\00010\000CONTENT_TYPE\000application/x-www-form-u"
	"rlencoded\000PATH\000/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/exa"
	"mple/bin:/opt/example/bin:/opt/example/bin:/opt/example/bin:/opt/example/bin:/opt/example/"
	"bin:/opt/example/bin:/opt/example/b\000SERVER_SIGNATURE\000\000SERVER_SOFTWARE\000Apache/2"
	".4.71 (Debian) mod_wsgi/4.9.4 Python/3.11\000SERVER_NAME\000127.0.0.1\000SERVER_ADDR\00012"
	"7.0.0.1\000SERVER_PORT\00018081\000REMOTE_ADDR\000127.0.0.1\000DOCUMENT_ROOT\000/var/www/h"
	"tml\000REQUEST_SCHEME\000http\000CONTEXT_PREFIX\000\000CONTEXT_DOCUMENT_ROOT\000/var/www/h"
	"tml\000SERVER_ADMIN\000admin@example.org.\000SCRIPT_FILENAME\000/srv/www/example/apps/x/ec"
	"ho.py\000REMOTE_PORT\00035348\000mod_wsgi.script_name\000\000mod_wsgi.path_info\000/post"
	"\000mod_wsgi.process_group\000app\000mod_wsgi.application_group\000\000mod_wsgi.callable_o"
	"bject\000application\000mod_wsgi.request_handler\000wsgi-script\000mod_wsgi.handler_script"
	"\000\000mod_wsgi.script_reloading\0001\000mod_wsgi.listener_host\000127.0.0.1\000mod_wsgi."
	"listener_port\00018081\000mod_wsgi.enable_sendfile\0000\000mod_wsgi.ignore_activity\0000"
	"\000mod_wsgi.request_start\0001795570516859704\000mod_wsgi.request_id\000OJvT1qfxPtU\000mo"
	"d_wsgi.magic\0002ce0c9ce83e6aea3ae4984d5f3322b1a\000mod_wsgi.queue_start\00017955705168597"
	"67\000mod_wsgi.daemon_connects\0001\000mod_wsgi.daemon_restarts\0000\000a\r\nname=value\r"
	"\n0\r\n\r\n";

#endif
