"""For uwsgi --python-raw: what speaks no protocol that anybody knows."""

import os
import select


def application(fd):
    select.select([fd], [], [])
    os.write(fd, b"said: " + os.read(fd, 4096))
