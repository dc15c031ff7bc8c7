// npm oidc-client-ts 3 in headless Chromium: a single-page application of another site than the issuer's, both by https. What
// the browser enforces is what is tested: CORS, third-party cookies, frames.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { test, before, after } from 'node:test'
import { profile } from './browser.mjs'

const { ISSUER, PERSON_NAME, PERSON_PASSWORD, PERSON_SUB, SPA_ID, SPA_PORT, TLS_CERTIFICATE, TLS_KEY } = process.env
const app = `https://app.example:${SPA_PORT}`
const html = readFileSync('oidc-client-ts.html', 'utf8')
  .replace('SETTINGS', JSON.stringify({ authority: ISSUER, client_id: SPA_ID, monitorSession: true, checkSessionIntervalInSeconds: 1 }))
const library = readFileSync('node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js')

let browser, server, page
const complaints = []
before(async () => {
  browser = await profile('app.example')
  browser.context.setDefaultTimeout(15_000)
  server = createServer({ cert: readFileSync(TLS_CERTIFICATE), key: readFileSync(TLS_KEY) }, ({ url }, response) => {
    if (url === '/oidc-client-ts.min.js') response.setHeader('content-type', 'text/javascript').end(library)
    else response.setHeader('content-type', 'text/html').end(html)
  }).listen(SPA_PORT, '127.0.0.1')
  page = browser.context.pages()[0]
  page.on('console', (message) => message.type() === 'error' && complaints.push(`${page.url()}: ${message.text()}`))
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error}`))
})
after(async () => {
  await browser.close()
  server.close()
  server.closeAllConnections()
})

const shows = (who, where = page) => where.waitForFunction((who) => document.querySelector('#who')?.textContent === who, who)
async function signIn(where) {
  await where.fill('#username', PERSON_NAME)
  await where.fill('#password', PERSON_PASSWORD)
  await where.click('#sign-in')
}

test('sign-in by redirect; userinfo from the page', async () => {
  await page.goto(app)
  await shows('nobody')
  await page.evaluate(() => { manager.signinRedirect() })
  await page.waitForSelector('#username')
  await signIn(page)
  await page.click('#allow')
  await shows(PERSON_NAME)
  const user = await page.evaluate(() => manager.getUser())
  assert.equal(user.profile.sub, PERSON_SUB)
  // Of userinfo, which a code flow's ID token leaves it to.
  assert.equal(user.profile.email, `${PERSON_NAME}@people.example`)
  assert.equal(user.refresh_token, undefined)
})

test('renewal in a hidden iframe, where the third-party cookie says who it is', async () => {
  const [before, after] = await page.evaluate(async () => [await manager.getUser(), await manager.signinSilent()])
  assert.notEqual(after.access_token, before.access_token)
  assert.equal(after.profile.sub, PERSON_SUB)
  assert.equal(after.profile.sid, before.profile.sid)
})

test('revocation from the page', async () => {
  const { access_token } = await page.evaluate(() => manager.getUser())
  const userinfo = () => page.evaluate(async ({ issuer, access_token }) =>
    (await fetch(`${issuer}/userinfo`, { headers: { authorization: `Bearer ${access_token}` } })).status, { issuer: ISSUER, access_token })
  assert.equal(await userinfo(), 200)
  await page.evaluate(() => manager.revokeTokens(['access_token']))
  assert.equal(await userinfo(), 401)
})

test('sign-in by popup: already signed in, it opens and closes', async () => {
  await page.evaluate(() => manager.removeUser())
  const user = await page.evaluate(() => manager.signinPopup())
  assert.equal(user.profile.sub, PERSON_SUB)
  assert.equal(page.context().pages().length, 1)
})

test('renewal by refresh token, where third-party cookies do not pass', async () => {
  const allowed = browser.context.waitForEvent('page').then((popup) => popup.click('#allow'))
  const [before, after] = await page.evaluate(async () => {
    const offline = new oidc.UserManager({ ...manager.settings, scope: 'openid profile offline_access', monitorSession: false })
    return [await offline.signinPopup(), await offline.signinSilent()]
  })
  await allowed
  assert.equal(after.profile.sub, PERSON_SUB)
  assert.notEqual(after.access_token, before.access_token)
  assert.notEqual(after.refresh_token, before.refresh_token)
})

test('session monitoring: the page notices that its person has signed out in another window', async () => {
  assert.deepEqual(await page.evaluate(() => events), [])
  const other = await browser.context.newPage()
  await other.goto(`${ISSUER}/logout`)
  await other.click('#logout-yes')
  await other.waitForSelector('#logged-out')
  await page.waitForFunction(() => events.includes('signed out'))
  await other.close()
  await page.evaluate(() => { manager.signinRedirect() })
  await signIn(page)
  await shows(PERSON_NAME)
})

test('sign-out by redirect ends the session here and at the provider, and comes back', async () => {
  await page.evaluate(() => { manager.signoutRedirect() })
  await page.waitForURL(`${app}/`)
  await shows('nobody')
  const refusal = await page.evaluate(() => manager.signinSilent().then(() => 'renewed', (error) => error.error))
  assert.equal(refusal, 'login_required')
})

test('the console has nothing to complain of', () => {
  // But of the token that was revoked, and of the favicon that no page has.
  assert.deepEqual(complaints.filter((text) => !/status of 40[14]/.test(text)), [])
})
