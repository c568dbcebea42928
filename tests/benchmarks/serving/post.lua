-- wrk: posts the lines of a file as bodies, one after another, and prints the figures as one line of JSON.
--   wrk … --script post.lua URL -- FILE FIRST_LINE
local requests, place = {}, 0

function init(arguments)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  for body in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format(nil, nil, nil, body)
  end
  place = tonumber(arguments[2]) % #requests
end

function request()
  place = place % #requests + 1
  return requests[place]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "p50": %.3f, "p95": %.3f, "p99": %.3f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    latency:percentile(99) / 1e3, errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
