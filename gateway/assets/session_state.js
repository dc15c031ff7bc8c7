(function () {
  // FIPS 180-4 §5.3.3, §4.2.2: fractional parts of the square and cube roots of the first primes.
  var first = [], constants = [], prime = 2, divisor
  while (constants.length < 64) {
    for (divisor = 2; divisor * divisor <= prime && prime % divisor; divisor++);
    if (divisor * divisor > prime) {
      if (first.length < 8) first.push((Math.pow(prime, 1 / 2) * 4294967296) | 0)
      constants.push((Math.pow(prime, 1 / 3) * 4294967296) | 0)
    }
    prime++
  }
  function turn(word, by) { return (word >>> by) | (word << (32 - by)) }
  function sha256(text) {
    var words = [], state = first.slice(), length = text.length, index, round, w, s, t, u
    for (index = 0; index < length; index++) words[index >> 2] |= (text.charCodeAt(index) & 255) << (24 - index % 4 * 8)
    words[length >> 2] |= 128 << (24 - length % 4 * 8)
    words[((length + 8 >> 6) << 4) + 15] = length * 8
    for (index = 0; index < words.length; index += 16) {
      w = []
      s = state.slice()
      for (round = 0; round < 64; round++) {
        if (round < 16) w[round] = words[index + round] | 0
        else {
          t = w[round - 15]
          u = w[round - 2]
          w[round] = (w[round - 16] + (turn(t, 7) ^ turn(t, 18) ^ t >>> 3) + w[round - 7] + (turn(u, 17) ^ turn(u, 19) ^ u >>> 10)) | 0
        }
        t = (s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) + (s[4] & s[5] ^ ~s[4] & s[6]) + constants[round] + w[round]) | 0
        u = ((turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) + (s[0] & s[1] ^ s[0] & s[2] ^ s[1] & s[2])) | 0
        s = [(t + u) | 0, s[0], s[1], s[2], (s[3] + t) | 0, s[4], s[5], s[6]]
      }
      for (round = 0; round < 8; round++) state[round] = (state[round] + s[round]) | 0
    }
    var hex = ''
    for (index = 0; index < 8; index++) hex += ('0000000' + (state[index] >>> 0).toString(16)).slice(-8)
    return hex
  }
  function browserState() {
    var name = document.body.getAttribute('data-cookie') + '=', cookies = document.cookie.split('; '), index
    for (index = 0; index < cookies.length; index++) if (cookies[index].indexOf(name) === 0) return cookies[index].slice(name.length)
    return ''
  }
  // Session Management §3.2: client_id, a space, session_state, which is digest.salt.
  function answer(message, origin) {
    var parts = /^([!-~]+) ([0-9a-f]{64})[.]([!-~]+)$/.exec(message)
    if (!parts) return 'error'
    // Without a cookie nothing is known, and anybody could hash nothing.
    var state = browserState()
    return state && sha256(parts[1] + ' ' + origin + ' ' + state + ' ' + parts[3]) === parts[2] ? 'unchanged' : 'changed'
  }
  // A session that was ended elsewhere: only the provider knows, and its answer changes the cookie. Asked by whoever asks us, at
  // most once in five minutes, so that a thousand windows are three requests a second.
  var asked = Date.now()
  function check() {
    if (Math.abs(Date.now() - asked) < 300000) return
    asked = Date.now()
    var request = new XMLHttpRequest()
    request.open('GET', window.location.pathname + '/check')
    request.send()
  }
  window.addEventListener('message', function (event) {
    // Neither what we said ourselves, nor anybody but the page around us and its other frames, where the browser says who that is.
    var around = window.location.ancestorOrigins
    if (!event.source || event.source === window || event.origin === 'null' || around && around.length && around[0] !== event.origin) return
    event.source.postMessage(answer(String(event.data), event.origin), event.origin)
    check()
  })
})()
