-- RFC 6749 §4.4. Arguments: the Authorization header.
dofile("answers.lua")

function init(arguments)
  local headers = { ["Authorization"] = arguments[1], ["Content-Type"] = "application/x-www-form-urlencoded" }
  message = wrk.format("POST", nil, headers, "grant_type=client_credentials")
end

function request() return message end

function response(status, headers, body)
  expect(200, '"access_token"%s*:%s*"ey', status, body)
end
