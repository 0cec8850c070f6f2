"""ASGI: /first has its answer at once, and works in afterwards() then; /second works in meanwhile(). Both give
way to the other again and again."""

import asyncio
import time


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def afterwards():
    for _ in range(60):
        burn(0.005)
        await asyncio.sleep(0)


async def meanwhile():
    for _ in range(20):
        burn(0.005)
        await asyncio.sleep(0)


async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    first = scope["path"] == "/first"
    if not first:
        await meanwhile()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
    await send({"type": "http.response.body", "body": b"ok\n"})
    if first:
        await afterwards()
