-- OpenID Connect Core 1.0 §5.3, every token several times. Arguments: a file of tokens.
dofile("answers.lua")

function init(arguments)
  messages, turn = {}, 0
  for _, token in ipairs(lines(arguments[1])) do
    table.insert(messages, wrk.format("GET", nil, { ["Authorization"] = "Bearer " .. token }))
  end
end

function request()
  turn = turn % #messages + 1
  return messages[turn]
end

function response(status, headers, body)
  expect(200, '"sub"', status, body)
end
