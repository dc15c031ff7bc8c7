-- RFC 6749 §6: a pool of refresh tokens, of which each is used once and its successor goes to the end of the pool.
-- Arguments: the Authorization header, the file of the pool. What is left of the pool is written back for the next round;
-- tokens whose answer was not waited for are left out.
dofile("answers.lua")

function init(arguments)
  headers = { ["Authorization"] = arguments[1], ["Content-Type"] = "application/x-www-form-urlencoded" }
  path, pool, first, last = arguments[2], lines(arguments[2]), 1, nil
  last = #pool
end

function request()
  assert(first <= last, "the pool of refresh tokens is empty")
  local token = pool[first]
  pool[first], first = nil, first + 1
  return wrk.format("POST", nil, headers, "grant_type=refresh_token&refresh_token=" .. token)
end

function response(status, headers, body)
  if expect(200, '"id_token"%s*:%s*"ey', status, body) then
    last = last + 1
    pool[last] = body:match('"refresh_token"%s*:%s*"([^"]+)"')
  end
end

function finish(thread)
  local file = assert(io.open(thread:get("path"), "w"))
  local pool = thread:get("pool")
  for index = thread:get("first"), thread:get("last") do file:write(pool[index], "\n") end
  file:close()
end
