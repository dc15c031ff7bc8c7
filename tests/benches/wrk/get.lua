-- GET of one address. Arguments: a word that every answer holds.
dofile("answers.lua")

function init(arguments)
  want = arguments[1]
end

function response(status, headers, body)
  expect(200, want, status, body)
end
