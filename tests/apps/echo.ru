# tests/apps/echo.py for Rack.
def answer(status, body, length: true)
  head = { 'Content-Type' => 'application/octet-stream' }
  head['Content-Length'] = body.sum(&:bytesize).to_s if length
  [status, head, body]
end

run(lambda do |env|
  _, kind, number = env['PATH_INFO'].split('/')
  case kind
  when 'bytes' then next answer(200, [Array.new(number.to_i) { |n| n % 251 }.pack('C*')])
  when 'chunks' then next answer(200, Array.new(number.to_i) { |n| format('%07d.', n) * 125 }, length: false)
  when 'status' then next [number.to_i, {}, []]
  when 'raise' then raise 'as asked'
  when 'slow' then sleep(number.to_i / 1000.0)
  end
  sent = env['rack.input'].read
  body = "#{env['REQUEST_METHOD']} '#{env['PATH_INFO']}'\n#{sent}"
  answer(200, env['REQUEST_METHOD'] == 'HEAD' ? [] : [body])
end)
