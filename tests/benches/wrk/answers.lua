-- What every kind of request shares: each answer is checked, and the result is one line that load.rs reads.
-- wrk runs setup and done in one Lua state, everything else in the state of its thread; there is one thread.
local threads = {}
function setup(thread) table.insert(threads, thread) end

wrong, example = 0, ""

-- Counts an answer that has another status or does not fit this pattern.
function expect(want_status, pattern, status, body)
  if status ~= want_status or not body:find(pattern) then
    wrong = wrong + 1
    if example == "" then example = status .. " " .. body end
    return false
  end
  return true
end

-- The lines of a file.
function lines(path)
  local read = {}
  for line in io.lines(path) do table.insert(read, line) end
  assert(#read > 0, path .. " is empty")
  return read
end

-- What a script has to say to the thread's end; refresh.lua does.
function finish(thread) end

function done(summary, latency)
  local broken = summary.errors
  local failed = broken.connect + broken.read + broken.write + broken.timeout
  for _, thread in ipairs(threads) do
    failed = failed + thread:get("wrong")
    if thread:get("example") ~= "" then print("such as: " .. thread:get("example")) end
    finish(thread)
  end
  print(string.format("RESULT %d %f %f %d", summary.requests, summary.duration / 1e6, latency:percentile(99) / 1e6, failed))
end
