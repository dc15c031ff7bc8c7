// Headless Chromium signs out: every application of the session is loaded in a frame, then the browser goes on; an application that
// does not answer holds up nobody. The applications are servers of a few lines.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test, before, after, beforeEach } from 'node:test'
import { launch } from './browser.mjs'

const { ISSUER, PERSON_NAME, PERSON_PASSWORD, GOOD, HANGS } = process.env

let browser
const servers = []
const loaded = []
before(async () => {
  browser = await launch()
  for (const [name, origin] of Object.entries({ GOOD, HANGS })) {
    const { hostname, port } = new URL(origin)
    const server = createServer((request, response) => {
      const url = new URL(request.url, origin)
      if (url.pathname === '/out') {
        loaded.push({ name, query: Object.fromEntries(url.searchParams), referer: request.headers.referer })
        if (name === 'HANGS') return
      }
      response.setHeader('content-type', 'text/html').end('<p id="arrived">arrived</p>')
    })
    servers.push(server)
    await new Promise((resolve) => server.listen(port, hostname, resolve))
  }
})
beforeEach(() => loaded.splice(0))
after(async () => {
  await browser.close()
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
})

// Signs in at these applications, and presses the button of the logout that one of them asks for.
async function signedOut(javaScriptEnabled, names) {
  const context = await browser.newContext({ javaScriptEnabled })
  context.setDefaultTimeout(15_000)
  const page = await context.newPage()
  const complaints = []
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  for (const name of names) {
    const url = new URL(`${ISSUER}/authorize`)
    const redirect_uri = `${{ GOOD, HANGS }[name]}/callback`
    url.search = new URLSearchParams({ client_id: name, redirect_uri, response_type: 'code', scope: 'openid' })
    await page.goto(url.href)
    if (await page.locator('#username').count()) {
      await page.fill('#username', PERSON_NAME)
      await page.fill('#password', PERSON_PASSWORD)
      await page.click('#sign-in')
    }
    await page.click('#allow')
    await page.waitForSelector('#arrived')
  }
  const url = new URL(`${ISSUER}/logout`)
  url.search = new URLSearchParams({ client_id: 'GOOD', post_logout_redirect_uri: `${GOOD}/bye`, state: 'a&b' })
  await page.goto(url.href)
  await page.click('#logout-yes', { noWaitAfter: true })
  return { context, page, complaints }
}

const bye = () => (url) => url.href === `${GOOD}/bye?state=a%26b`

test('with script, at once', async () => {
  const { context, page, complaints } = await signedOut(true, ['GOOD'])
  const started = Date.now()
  await page.waitForURL(bye(), { timeout: 2_900 })
  assert.ok(Date.now() - started < 2_900)
  assert.equal(loaded.length, 1)
  const [{ query, referer }] = loaded
  assert.deepEqual({ ...query, sid: typeof query.sid }, { x: '1', iss: ISSUER, sid: 'string' })
  assert.equal(referer, undefined)
  assert.deepEqual(complaints.filter((text) => !text.includes('favicon')), [])
  await context.close()
})

test('with script, though one hangs', async () => {
  const { context, page } = await signedOut(true, ['HANGS', 'GOOD'])
  await page.waitForURL(bye(), { timeout: 8_000 })
  assert.deepEqual(loaded.map(({ name }) => name).sort(), ['GOOD', 'HANGS'])
  assert.equal(loaded[0].query.sid, loaded[1].query.sid)
  await context.close()
})

test('without script, by itself after a while', async () => {
  const { context, page } = await signedOut(false, ['GOOD'])
  await page.waitForURL(bye(), { timeout: 12_000 })
  assert.equal(loaded.length, 1)
  await context.close()
})

test('without script, by the link, though one hangs', async () => {
  const { context, page } = await signedOut(false, ['HANGS', 'GOOD'])
  await page.click('#continue')
  await page.waitForURL(bye())
  assert.deepEqual(loaded.map(({ name }) => name).sort(), ['GOOD', 'HANGS'])
  await context.close()
})
