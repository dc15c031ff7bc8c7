// Headless Chromium takes an answer to a client by form: with script by itself, without script by a button. The client is a
// server of a few lines that says what was posted to it.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test, before, after } from 'node:test'
import { launch } from './browser.mjs'

const { ISSUER, PERSON_NAME, PERSON_PASSWORD, FORM_ID, FORM_PORT } = process.env
const redirect_uri = `http://127.0.0.1:${FORM_PORT}/callback`

let browser, server
const posted = []
before(async () => {
  browser = await launch()
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    if (request.method === 'POST') posted.push({ type: request.headers['content-type'], form: new URLSearchParams(body) })
    response.setHeader('content-type', 'text/html').end('<p id="arrived">arrived</p>')
  }).listen(FORM_PORT, '127.0.0.1')
})
after(async () => {
  await browser.close()
  server.close()
})

for (const javaScriptEnabled of [true, false]) {
  test(`the form goes to the client ${javaScriptEnabled ? 'by itself' : 'by its button'}`, async () => {
    const context = await browser.newContext({ javaScriptEnabled })
    context.setDefaultTimeout(15_000)
    const page = await context.newPage()
    const complaints = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    const state = '"><b>&amp; ü'
    const url = new URL(`${ISSUER}/authorize`)
    url.search = new URLSearchParams({
      client_id: FORM_ID, redirect_uri, response_type: 'code', response_mode: 'form_post', scope: 'openid', state,
    })
    await page.goto(url.href)
    // A first visit from nowhere: without script the page in between is followed all the same.
    await page.fill('#username', PERSON_NAME)
    await page.fill('#password', PERSON_PASSWORD)
    await page.click('#sign-in')
    await page.click('#allow')
    if (!javaScriptEnabled) await page.click('#continue')
    await page.waitForSelector('#arrived')
    assert.equal(page.url(), redirect_uri)
    const { type, form } = posted.pop()
    assert.equal(type, 'application/x-www-form-urlencoded')
    assert.deepEqual([...form.keys()].sort(), ['code', 'iss', 'session_state', 'state'])
    assert.equal(form.get('state'), state)
    assert.equal(form.get('iss'), ISSUER)
    assert.deepEqual(complaints.filter((text) => !text.includes('favicon')), [])
    assert.equal(posted.length, 0, 'once')
    await context.close()
  })
}
