-- RFC 7662, and every token several times, as resource servers do. Arguments: the Authorization header, a file of tokens.
dofile("answers.lua")

function init(arguments)
  local headers = { ["Authorization"] = arguments[1], ["Content-Type"] = "application/x-www-form-urlencoded" }
  messages, turn = {}, 0
  for _, token in ipairs(lines(arguments[2])) do
    table.insert(messages, wrk.format("POST", nil, headers, "token_type_hint=access_token&token=" .. token))
  end
end

function request()
  turn = turn % #messages + 1
  return messages[turn]
end

function response(status, headers, body)
  expect(200, '"active"%s*:%s*true', status, body)
end
