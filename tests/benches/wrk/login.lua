-- The form of the sign-in page, a person after the other. Arguments: the Cookie header, the csrf field, the password, how
-- many people there are (person1, person2 …).
dofile("answers.lua")

function init(arguments)
  headers = { ["Cookie"] = arguments[1], ["Content-Type"] = "application/x-www-form-urlencoded" }
  form = "csrf=" .. arguments[2] .. "&password=" .. arguments[3] .. "&username=person"
  people, turn = tonumber(arguments[4]), 0
end

function request()
  turn = turn % people + 1
  return wrk.format("POST", nil, headers, form .. turn)
end

function response(status, headers, body)
  expect(303, "", status, body)
end
