-- With an argument (a prefix) every request asks for a key of its own: <url's path><prefix><count>.
-- Without one wrk sends its one prepared request.
function init(args)
  local prefix, sent = args[1], 0
  if prefix == nil then return end
  local path = wrk.path
  request = function()
    sent = sent + 1
    return wrk.format(nil, path .. prefix .. sent)
  end
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'REPORT {"requests":%d,"microseconds":%d,"bytes":%d,"errors":%d,"mean":%f,"p50":%f,"p99":%f}\n',
    summary.requests, summary.duration, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
    latency.mean, latency:percentile(50), latency:percentile(99)))
end
