"""tests/apps/echo.py for servers of ASGI, without its /raise; what is received ends with the body."""

import asyncio


async def answer(send, status, body, headers=(), length=True):
    fields = [(b"content-type", b"application/octet-stream"), *headers]
    if length:
        fields.append((b"content-length", b"%d" % sum(map(len, body))))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    for piece in body:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def whole(receive):
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def lifespan(receive, send):
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    sent = await whole(receive)
    if sent is None:
        return
    _, _, rest = scope["path"].partition("/")
    kind, _, number = rest.partition("/")
    if kind == "bytes":
        await answer(send, 200, [bytes(n % 251 for n in range(int(number)))])
    elif kind == "chunks":
        await answer(send, 200, [b"%07d." % n * 125 for n in range(int(number))], length=False)
    elif kind == "status":
        await answer(send, int(number), [], length=number not in ("204", "304"))
    else:
        if kind == "slow":
            await asyncio.sleep(int(number) / 1000)
        body = ("%s %s\n" % (scope["method"], ascii(scope["path"]))).encode() + sent
        await answer(send, 200, [] if scope["method"] == "HEAD" else [body], length=False)
