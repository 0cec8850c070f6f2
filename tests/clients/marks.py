"""Which route of the attribution test a native frame belongs to, in languages whose functions have no names in
native stacks: each route works in a library, or in a function of one, that no other route uses.
"""

import bisect
import fnmatch
import os
import subprocess

# K: libraries' files up to ".so"; or a pattern of files, and a function of its dynamic symbols.
TABLES = {
    "ruby": ["md5", "sha1", "sha2", "rmd160", "zlib libz", "libgmp", "libcrypt", "parser", "generator", "ripper", "nkf",
             "bigdecimal", "date_core", "strscan", "psych libyaml-0", "escape"],
    "php": ["php*:PHP_MD5Update", "php*:PHP_SHA1Update", "php*:PHP_SHA256Update", "php*:PHP_SHA512Update",
            "php*:PHP_RIPEMD160Update", "php*:PHP_WHIRLPOOLUpdate", "php*:PHP_TIGERUpdate",
            "php*:PHP_SNEFRUUpdate", "php*:PHP_GOSTUpdate", "php*:PHP_ADLER32Update", "php*:PHP_HAVALUpdate",
            "php*:PHP_JOAATUpdate", "libz", "php*:PHP_MD4Update", "libsodium", "libcrypto"],
}


def words(*command):
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return [line.split() for line in said.stdout.splitlines()]


class Functions:
    """The dynamic symbols of one file, by their offsets in it."""

    def __init__(self, path):
        segments = [(int(line[2], 16), int(line[1], 16), int(line[5], 16))
                    for line in words("readelf", "-lW", path) if line[:1] == ["LOAD"]]
        self.found = []
        for line in words("nm", "-D", "--defined-only", "-S", path):
            if len(line) == 4 and line[2] in "Tt":
                address, size = int(line[0], 16), int(line[1], 16)
                at = [address - start + offset for start, offset, length in segments
                      if start <= address < start + length]
                self.found.append((at[0], size, line[3].partition("@")[0]))
        self.found.sort()
        self.starts = [start for start, _, _ in self.found]

    def name(self, offset):
        at = bisect.bisect_right(self.starts, offset) - 1
        if at < 0:
            return None
        start, size, name = self.found[at]
        return name if offset < start + size else None


class Marks:
    def __init__(self, language):
        self.libraries, self.functions, self.files = {}, {}, {}
        for k, mark in enumerate(TABLES[language]):
            pattern, _, function = mark.partition(":")
            if function:
                self.functions[function] = (pattern, k)
            else:
                self.libraries.update(dict.fromkeys(mark.split(), k))

    def route(self, frame):
        """The route that only this frame can be of, or None."""
        base = os.path.basename(frame["file"])
        k = self.libraries.get(base.split(".so")[0])
        if k is not None or not any(fnmatch.fnmatch(base, pattern) for pattern, _ in self.functions.values()):
            return k
        if frame["file"] not in self.files:
            self.files[frame["file"]] = Functions(frame["file"])
        return self.functions.get(self.files[frame["file"]].name(frame["offset"]), (None, None))[1]
