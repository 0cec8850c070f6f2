# tests/apps/burning.py for Rack. Ruby's functions have no names in native stacks: each route works in a
# library that no other one uses (tests/clients/marks.py says which).
require 'bigdecimal'
require 'cgi/escape'
require 'date'
require 'digest'
require 'json'
require 'nkf'
require 'psych'
require 'ripper'
require 'strscan'
require 'zlib'

NANOSECONDS = 1_500_000
GC.disable # one request would do what all left behind

TEXT = ('a <b> & "c" - ' * 600).freeze
NUMBERS = (0...400).to_a.freeze
ARRAY_TEXT = JSON.generate(NUMBERS).freeze
SOURCE = ("x = [1, 2]\n" * 6).freeze
DECIMAL = BigDecimal("#{'123456789' * 150}.5").freeze
YAML_TEXT = Psych.dump(NUMBERS.first(20)).freeze
BIG = (3**9000).freeze

# A hundred microseconds or less at a time, nearly all of it in the library.
ROUTES = [
  -> { Digest::MD5.digest(TEXT) },
  -> { Digest::SHA1.digest(TEXT) },
  -> { Digest::SHA2.new(512).digest(TEXT) },
  -> { Digest::RMD160.digest(TEXT) },
  -> { Zlib.crc32(TEXT, Zlib.adler32(TEXT)) && Zlib.deflate(TEXT, 9) },
  -> { BIG * BIG },
  -> { 'password'.crypt('$1$salt') },
  -> { JSON.parse(ARRAY_TEXT) },
  -> { JSON.generate(NUMBERS) },
  -> { Ripper.sexp(SOURCE) },
  -> { NKF.nkf('-wW', TEXT[0, 3000]) },
  -> { DECIMAL * DECIMAL },
  -> { Date._parse('Sat Aug 28 02:55:50 2000') },
  -> { StringScanner.new(TEXT).scan_until(/zzz/) },
  -> { Psych.parse(YAML_TEXT) },
  -> { CGI.escapeHTML(TEXT) }
].freeze

def clock
  Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID, :nanosecond)
end

def burn(route)
  begun = clock
  route.call while (burnt = clock - begun) < NANOSECONDS
  burnt
end

# What is loaded at first use is no request's.
ROUTES.each(&:call)

run(lambda do |env|
  k = env['PATH_INFO'][%r{\A/r(\d+)/}, 1].to_i
  body = "route=#{k} path=#{env['PATH_INFO']} burnt=#{burn(ROUTES.fetch(k))}\n"
  [200, { 'Content-Type' => 'text/plain', 'Content-Length' => body.bytesize.to_s }, [body]]
end)
