"""Applications of 16 routes for the attribution test, for servers of all kinds. Each route burns CPU
in a function of its own name.

GET /rK/ANYTHING burns a millisecond and a half in route_K and answers "route=K path=.. burnt=NS".
Where routes are coroutines, K % 4 says how: 0 at once; 1 half, a pause, half; 2 a pause, then all;
3 half, another turn of the loop, half in a coroutine of its own.

    burning.py tornado|aiohttp|werkzeug PORT
    module names: application (WSGI), asgi, starlette_sync (routes in starlette's thread pool),
    executor (WSGI that hands each request to a ThreadPoolExecutor), to_thread (ASGI that does so by
    asyncio.to_thread)
"""

import asyncio
import sys
import time

NANOSECONDS = 1500000
ROUTES = 16

SOURCE = """
def route_{k}(nanoseconds):
    begun = clock()
    until = begun + nanoseconds
    total = 0
    while clock() < until:
        for i in range(1000):
            total += i
    return clock() - begun
"""


def make_routes():
    space = {"clock": time.thread_time_ns}
    for k in range(ROUTES):
        exec(compile(SOURCE.format(k=k), "burning-%d.py" % k, "exec"), space)
    return [space["route_%d" % k] for k in range(ROUTES)]


FUNCTIONS = make_routes()


def route_of(path):
    try:
        k = int(path.split("/")[1][1:])
    except (ValueError, IndexError):
        return None
    return k if 0 <= k < ROUTES else None


def answer(k, path, burnt):
    return ("route=%d path=%s burnt=%d\n" % (k, path, burnt)).encode()


def burn(path):
    """The answer, or None for a path that is no route's."""
    k = route_of(path)
    return None if k is None else answer(k, path, FUNCTIONS[k](NANOSECONDS))


async def burn_in_turns(path, pause=asyncio.sleep):
    k = route_of(path)
    if k is None:
        return None
    function, how = FUNCTIONS[k], k % 4
    burnt = 0

    async def half():
        return function(NANOSECONDS // 2)

    if how == 2:
        await pause(0.003)
    if how in (0, 2):
        burnt += function(NANOSECONDS)
    else:
        burnt += function(NANOSECONDS // 2)
        await pause(0.003 if how == 1 else 0)
        burnt += await half()
    return answer(k, path, burnt)


def application(environ, start_response):
    body = burn(environ["PATH_INFO"])
    start_response("200 OK" if body else "404 Not Found",
                   [("Content-Type", "text/plain"), ("Content-Length", str(len(body or b"")))])
    return [body or b""]


def application_in_turns(environ, start_response):
    """For greenlets: sleeps in the middle, which time.sleep must have been replaced for."""
    k = route_of(environ["PATH_INFO"])
    if k is None or k % 2 == 0:
        return application(environ, start_response)
    burnt = FUNCTIONS[k](NANOSECONDS // 2)
    time.sleep(0.003)
    burnt += FUNCTIONS[k](NANOSECONDS // 2)
    body = answer(k, environ["PATH_INFO"], burnt)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def executor(environ, start_response):
    from concurrent.futures import ThreadPoolExecutor
    global POOL
    if POOL is None:
        POOL = ThreadPoolExecutor(8)
    body = POOL.submit(burn, environ["PATH_INFO"]).result()
    start_response("200 OK" if body else "404 Not Found",
                   [("Content-Type", "text/plain"), ("Content-Length", str(len(body or b"")))])
    return [body or b""]


POOL = None


async def lifespan(receive, send):
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    await send_answer(await burn_in_turns(scope["path"]), send)


async def to_thread(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    await send_answer(await asyncio.to_thread(burn, scope["path"]), send)


async def send_answer(body, send):
    await send({"type": "http.response.start", "status": 200 if body else 404,
                "headers": [(b"content-type", b"text/plain"),
                            (b"content-length", b"%d" % len(body or b""))]})
    await send({"type": "http.response.body", "body": body or b""})


def __getattr__(name):
    if name == "starlette_sync":
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route

        def page(request):
            body = burn(request.url.path)
            return PlainTextResponse(body or b"", 200 if body else 404)

        return Starlette(routes=[Route("/{rest:path}", page)])
    raise AttributeError(name)


def main_tornado(port):
    import tornado.web

    class Handler(tornado.web.RequestHandler):
        async def get(self):
            body = await burn_in_turns(self.request.path)
            if body is None:
                self.set_status(404)
            self.finish(body or b"")

    async def serve():
        tornado.web.Application([(".*", Handler)]).listen(port, "127.0.0.1")
        await asyncio.Event().wait()

    asyncio.run(serve())


def main_aiohttp(port):
    from aiohttp import web

    async def handler(request):
        body = await burn_in_turns(request.path)
        return web.Response(body=body or b"", status=200 if body else 404)

    app = web.Application()
    app.router.add_get("/{rest:.*}", handler)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


def main_werkzeug(port):
    from werkzeug.serving import run_simple

    run_simple("127.0.0.1", port, application, threaded=True)


if __name__ == "__main__":
    globals()["main_" + sys.argv[1]](int(sys.argv[2]))
