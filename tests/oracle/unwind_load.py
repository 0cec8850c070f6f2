"""Work in many C parts of the standard library, for argv[1] seconds of CPU."""
import bz2
import decimal
import hashlib
import json
import lzma
import pickle
import re
import sqlite3
import sys
import time
import zlib
from xml.dom import minidom

text = json.dumps({"key %d" % i: [i, {"x": "y" * (i % 50)}] for i in range(300)})
db = sqlite3.connect(":memory:")
db.execute("create table t (a integer primary key, b text)")
db.executemany("insert into t values (?, ?)", [(i, "x" * (i % 97)) for i in range(2000)])
db.create_function("twice", 1, lambda value: 2 * value)


def recursion(n):
    return sorted([n, 0], key=lambda x: recursion(n - 1) if n else 0)


def once():
    json.dumps(json.loads(text), indent=1)
    re.findall(r"(\w+) (\d+)|(y+)", text)
    hashlib.sha256(text.encode()).hexdigest()
    zlib.decompress(zlib.compress(text.encode(), 6))
    bz2.compress(text.encode()[:4000])
    lzma.compress(text.encode()[:2000], preset=1)
    pickle.loads(pickle.dumps(json.loads(text)))
    db.execute("select b, sum(twice(a)) from t where b like '%x%' group by b order by 2").fetchall()
    decimal.Decimal(2).sqrt(decimal.Context(prec=300))
    minidom.parseString("<a>" + "<b c='d'>e</b>" * 50 + "</a>").toxml()
    recursion(5)


end = time.process_time() + float(sys.argv[1])
while time.process_time() < end:
    once()
