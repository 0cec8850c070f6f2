# tests/apps/routes.py for Rack: puma, unicorn, webrick.
MILLISECONDS = 6
GC.disable # one request would do what all left behind

def burn(until_s)
  total = 0
  while Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID) < until_s
    2000.times { |i| total += i }
  end
  total
end

ROUTES = (0...16).map do |k|
  define_singleton_method("route_#{k}") { |until_s| burn(until_s) }
  method("route_#{k}")
end

run(lambda do |env|
  k = env['PATH_INFO'][%r{\A/r(\d+)/}, 1]
  next [404, { 'Content-Length' => '0' }, []] unless k && k.to_i < ROUTES.size

  ROUTES[k.to_i].call(Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID) + MILLISECONDS / 1000.0)
  # After a fork, ruby 3.1 still has the parent's number for the first thread.
  tid = env['rack.multithread'] ? " tid=#{Thread.current.native_thread_id}" : ''
  body = "route=#{k} path=#{env['PATH_INFO']} pid=#{Process.pid}#{tid}\n"
  [200, { 'Content-Type' => 'text/plain', 'Content-Length' => body.bytesize.to_s }, [body]]
end)
