-- Whole authorizations of people who are signed in and have allowed the client before: /authorize answers at once with a code, and
-- a request after it redeems the code. Arguments: the Authorization header, the name of the session cookie, a file of cookies,
-- the path of the authorization request, the path of the token request.
dofile("answers.lua")

-- RFC 7636 appendix B.
local verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
local challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
local redirect_uri = "https%3A%2F%2Fnotes.example%2Fcallback"

function init(arguments)
  local authorization, cookie, file, authorize, token = unpack(arguments)
  gets, codes, next_get = {}, {}, 0
  for index, value in ipairs(lines(file)) do
    gets[index] = wrk.format("GET", authorize .. "&response_type=code&scope=openid%20profile%20email&state=af0ifjsldkj&nonce=n-0S6_WzA2Mj"
      .. "&code_challenge=" .. challenge .. "&code_challenge_method=S256&redirect_uri=" .. redirect_uri, { ["Cookie"] = cookie .. "=" .. value })
  end
  headers = { ["Authorization"] = authorization, ["Content-Type"] = "application/x-www-form-urlencoded" }
  path = token
end

function request()
  local code = table.remove(codes)
  if code then
    return wrk.format("POST", path, headers, "grant_type=authorization_code&code=" .. code .. "&redirect_uri=" .. redirect_uri
      .. "&code_verifier=" .. verifier)
  end
  next_get = next_get % #gets + 1
  return gets[next_get]
end

function response(status, answered, body)
  local back = answered["location"] or answered["Location"]
  if back then
    local code = back:match("^https://notes.example/callback%?.*code=([^&]+)")
    if code then table.insert(codes, code) else expect(200, "a code", status, back) end
  else
    expect(200, '"id_token"%s*:%s*"ey', status, body)
  end
end
