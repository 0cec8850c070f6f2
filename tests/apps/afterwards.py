"""ASGI: /first has its answer at once, and works in afterwards() then; /second works in meanwhile(). Both give
way to the other again and again, after so long that it is sampled even where most ticks are lost. /leaves begins a
task for afterwards(), and answers while that runs; /spawns answers first, and begins two that are waited for;
/children is like /second, and has two tasks that work in child().

starlette: the same, where /first has a background task of Starlette's."""

import asyncio
import time

left = set()


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def afterwards():
    for _ in range(20):
        burn(0.02)
        await asyncio.sleep(0)


async def meanwhile():
    for _ in range(15):
        burn(0.02)
        await asyncio.sleep(0)


async def child():
    for _ in range(5):
        burn(0.02)
        await asyncio.sleep(0)


async def before(path):
    if path == "/leaves":
        left.add(asyncio.create_task(afterwards()))
        await asyncio.sleep(0.02)
    elif path == "/children":
        await asyncio.gather(child(), child())
    if path in ("/children", "/second", "/third"):
        await meanwhile()


async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    await before(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
    await send({"type": "http.response.body", "body": b"ok\n"})
    if scope["path"] == "/first":
        await afterwards()
    elif scope["path"] == "/spawns":
        await asyncio.gather(afterwards(), afterwards())


def __getattr__(name):
    if name == "starlette":
        from starlette.applications import Starlette
        from starlette.background import BackgroundTask
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route

        async def page(request):
            path = request.url.path
            await before(path)
            return PlainTextResponse("ok\n", background=BackgroundTask(afterwards) if path == "/first" else None)

        return Starlette(routes=[Route("/{rest:path}", page)])
    raise AttributeError(name)
