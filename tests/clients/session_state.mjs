// Headless Chromium watches a session as an application does: a frame of the provider, asked by messages, says whether anything
// has changed. The application is a server of a few lines.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { test, before, after } from 'node:test'
import { launch, profile } from './browser.mjs'

const { ISSUER, APP_ORIGIN, CLIENT_ID, PERSON_NAME, PERSON_PASSWORD } = process.env
const app = new URL(APP_ORIGIN)
const page = `<!doctype html><title>app</title><p id="arrived">arrived</p><script>
  // Asks as soon as the frame is there: its listener must be, too.
  function ask(frame, message) {
    return new Promise((resolve) => {
      addEventListener('message', ({ origin, data }) => resolve({ origin, data }), { once: true })
      frame.contentWindow.postMessage(message, '*')
    })
  }
  function watch(url, message) {
    const frame = document.createElement('iframe')
    frame.src = url
    return new Promise((resolve) => {
      frame.onload = () => resolve(ask(frame, message))
      document.body.append(frame)
    })
  }
</script>`

let context, close, check, metadata
const servers = []
before(async () => {
  ({ context, close } = await profile('localhost'))
  context.setDefaultTimeout(15_000)
  const serve = (port) => new Promise((resolve) => {
    const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(page))
    servers.push(server.listen(port, app.hostname, () => resolve(server.address().port)))
  })
  await serve(app.port)
  app.other = `http://${app.hostname}:${await serve(0)}/`
  const read = await context.newPage()
  metadata = JSON.parse(await (await read.goto(`${ISSUER}/.well-known/openid-configuration`)).text())
  check = metadata.check_session_iframe
})
after(async () => {
  await close()
  servers.forEach((server) => server.close())
})

const request = (more) => {
  const url = new URL(metadata.authorization_endpoint)
  url.search = new URLSearchParams({
    client_id: CLIENT_ID, redirect_uri: `${APP_ORIGIN}/callback`, response_type: 'code', scope: 'openid', ...more,
  })
  return url.href
}
const answered = async (tab) => {
  await tab.waitForURL((url) => url.origin === APP_ORIGIN)
  return new URL(tab.url()).searchParams
}
const signIn = async (more = {}) => {
  const tab = await context.newPage()
  await tab.goto(request(more))
  if (await tab.locator('#username').count()) {
    await tab.fill('#username', PERSON_NAME)
    await tab.fill('#password', PERSON_PASSWORD)
    await tab.click('#sign-in')
  }
  await tab.click('#allow')
  const state = (await answered(tab)).get('session_state')
  await tab.close()
  return state
}
const silent = async () => {
  const tab = await context.newPage()
  await tab.goto(request({ prompt: 'none' }))
  const answer = await answered(tab)
  await tab.close()
  return answer
}
const signOut = async () => {
  const tab = await context.newPage()
  await tab.goto(metadata.end_session_endpoint)
  await tab.click('#logout-yes')
  await tab.waitForSelector('#logged-out')
  await tab.close()
}
const watch = async (message, origin = `${APP_ORIGIN}/`) => {
  const tab = await context.newPage()
  await tab.goto(origin)
  const answer = await tab.evaluate(([url, text]) => watch(url, text), [check, message])
  assert.equal(answer.origin, new URL(ISSUER).origin)
  await tab.close()
  return answer.data
}

test('nobody can tell from outside whether somebody is signed in', async () => {
  const salt = '0'.repeat(32)
  const nothing = createHash('sha256').update(`${CLIENT_ID} ${APP_ORIGIN}  ${salt}`).digest('hex')
  assert.equal(await watch(`${CLIENT_ID} ${nothing}.${salt}`), 'changed')
})

test('a session is watched from sign-in to logout', async () => {
  const nobody = await silent()
  assert.equal(nobody.get('error'), 'login_required')
  assert.equal(await watch(`${CLIENT_ID} ${nobody.get('session_state')}`), 'unchanged')
  const first = await signIn()
  assert.equal(await watch(`${CLIENT_ID} ${nobody.get('session_state')}`), 'changed')
  assert.equal(await watch(`${CLIENT_ID} ${first}`), 'unchanged')
  const second = await signIn({ prompt: 'login' })
  assert.equal(await watch(`${CLIENT_ID} ${first}`), 'changed')
  assert.equal(await watch(`${CLIENT_ID} ${second}`), 'unchanged')
  await signOut()
  assert.equal(await watch(`${CLIENT_ID} ${second}`), 'changed')
  assert.equal(await watch(`${CLIENT_ID} ${nobody.get('session_state')}`), 'unchanged')
})

test('a message that is none is an error, and somebody else\'s state is another one', async () => {
  const state = await signIn()
  assert.equal(await watch(`${CLIENT_ID} ${state}`), 'unchanged')
  for (const message of ['', 'x', CLIENT_ID, `${CLIENT_ID} `, ` ${state}`, `${CLIENT_ID} ${state} x`, `${CLIENT_ID} ${state}\n`, { a: 1 }, null]) {
    assert.equal(await watch(message), 'error', JSON.stringify(message))
  }
  assert.equal(await watch(`other ${state}`), 'changed')
  assert.equal(await watch(`${CLIENT_ID} ${state.replace(/.$/, (last) => (last === '0' ? '1' : '0'))}`), 'changed')
  assert.equal(await watch(`${CLIENT_ID} ${state}`, app.other), 'changed')
  await signOut()
})

// The person's own page, in another browser.
const endElsewhere = async () => {
  const browser = await launch()
  const tab = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage()
  await tab.goto(ISSUER)
  await tab.fill('#username', PERSON_NAME)
  await tab.fill('#password', PERSON_PASSWORD)
  await tab.click('#sign-in')
  await tab.click('#end-others')
  await tab.waitForSelector('#notice')
  await browser.close()
}

test('asking makes no request, and the tab that asks is told while it is open', async () => {
  const state = await signIn()
  const tab = await context.newPage()
  await tab.goto(`${APP_ORIGIN}/`)
  await tab.evaluate(([url]) => watch(url, 'x'), [check])
  const requests = []
  tab.on('request', (made) => requests.push(made.url()))
  const ask = () => tab.evaluate(([text]) => ask(document.querySelector('iframe'), text), [`${CLIENT_ID} ${state}`])
  assert.equal((await ask()).data, 'unchanged')
  await signOut()
  assert.equal((await ask()).data, 'changed')
  assert.deepEqual(requests, [])
  await tab.close()
})

test('what is ended elsewhere is noticed by a window that stays open, which asks once in five minutes', async () => {
  const state = await signIn()
  const tab = await context.newPage()
  // Time passes as the test wants.
  await tab.addInitScript(() => {
    let passed = 0
    const now = Date.now
    Date.now = () => now() + passed
    addEventListener('message', ({ data }) => { if (data === 'five minutes') passed += 300_000 })
  })
  await tab.goto(`${APP_ORIGIN}/`)
  await tab.evaluate(([url]) => watch(url, 'x'), [check])
  const asked = []
  tab.on('request', (made) => asked.push(made.url()))
  const ask = (message) => tab.evaluate(([text]) => ask(document.querySelector('iframe'), text), [message])
  const later = async () => {
    const answered = tab.waitForResponse(`${check}/check`)
    assert.equal((await ask('five minutes')).data, 'error')
    assert.equal((await (await answered).status()), 204)
  }
  await later()
  assert.equal((await ask(`${CLIENT_ID} ${state}`)).data, 'unchanged')
  await endElsewhere()
  assert.equal((await ask(`${CLIENT_ID} ${state}`)).data, 'unchanged')
  await later()
  assert.equal((await ask(`${CLIENT_ID} ${state}`)).data, 'changed')
  assert.deepEqual(asked, [`${check}/check`, `${check}/check`])
  await tab.close()
})
