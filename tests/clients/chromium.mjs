// Headless Chromium as two people with the notes application: what they see and press, in order. The gateway and the
// application run already.
//   node chromium.mjs FOLDER     where a picture of the page goes when something fails
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { launch } from './browser.mjs'

const { ISSUER, APP_URL, ALICE, ALICE_PASSWORD, BOB, BOB_PASSWORD } = process.env
const pictures = process.argv[2]

const browser = await launch()

// Each person has a browser profile of their own; what a page complains of in the console is a failure too.
const complaints = []
async function person(options) {
  const context = await browser.newContext(options)
  context.setDefaultTimeout(15_000)
  const page = await context.newPage()
  page.on('console', (message) => message.type() === 'error' && complaints.push(`${page.url()}: ${message.text()}`))
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error}`))
  return page
}
const signIn = async (page, username, password) => {
  await page.fill('#username', username)
  await page.fill('#password', password)
  await page.click('#sign-in')
}
const notes = (page) => page.locator('#notes li p').allTextContents()
let step = 'start'
let page

const steps = {
  async 'the application sends its visitor to the sign-in page'() {
    page = await person()
    await page.goto(APP_URL)
    await page.click('#sign-in')
    assert.equal(new URL(page.url()).origin, ISSUER)
    assert.equal(new URL(page.url()).pathname, '/login')
  },
  async 'a wrong password is told on the same page, and the name kept'() {
    await signIn(page, ALICE, 'wrong password')
    await page.waitForSelector('#problem')
    assert.equal(await page.inputValue('#username'), ALICE)
    assert.equal(await page.inputValue('#password'), '')
  },
  async 'the right one leads to consent, and allowing leads back with the notes'() {
    await signIn(page, ALICE, ALICE_PASSWORD)
    await page.waitForSelector('#allow')
    assert.equal(new URL(page.url()).pathname, '/consent')
    assert.ok((await page.textContent('main')).includes('Notes'))
    await page.click('#allow')
    await page.waitForURL(`${APP_URL}/`)
    assert.ok((await notes(page)).length >= 2)
  },
  async 'a note is added and stays'() {
    await page.fill('#body', 'Written by <Alice> & nobody else')
    await page.click('#add')
    // The answer to the form, then the page anew: a reload in the middle of the first would stop it.
    await page.getByText('Written by <Alice> & nobody else').waitFor()
    await page.goto(`${APP_URL}/`)
    assert.ok((await notes(page)).includes('Written by <Alice> & nobody else'))
  },
  async 'a second person, without script, sees other notes'() {
    const alices = await notes(page)
    const other = await person({ javaScriptEnabled: false, colorScheme: 'dark', viewport: { width: 360, height: 740 } })
    await other.goto(APP_URL)
    await other.click('#sign-in')
    await signIn(other, BOB, BOB_PASSWORD)
    await other.click('#deny')
    await other.waitForSelector('#error')
    assert.equal(await other.textContent('#error'), 'access_denied')
    await other.goto(APP_URL)
    await other.click('#sign-in')
    // Signed in already: only consent is asked again.
    await other.click('#allow')
    await other.waitForURL(`${APP_URL}/`)
    const bobs = await notes(other)
    assert.ok(bobs.length >= 1)
    assert.deepEqual(bobs.filter((note) => alices.includes(note)), [])
    await other.context().close()
  },
  async 'the second visit asks for consent again, and for no password'() {
    // The application forgets its visitor; the provider does not.
    await page.context().clearCookies({ domain: new URL(APP_URL).hostname })
    await page.goto(APP_URL)
    await page.click('#sign-in')
    // A loopback client sees consent every time (RFC 8252 §8.6).
    await page.waitForSelector('#allow')
    assert.equal(new URL(page.url()).origin, ISSUER)
    assert.equal(new URL(page.url()).pathname, '/consent')
    assert.equal(await page.locator('input[type=password]').count(), 0)
    await page.click('#allow')
    await page.waitForURL(`${APP_URL}/`)
    assert.ok((await notes(page)).includes('Written by <Alice> & nobody else'))
  },
  async 'the home page lists the session and the application, which can be withdrawn'() {
    await page.goto(ISSUER)
    assert.match(await page.textContent('main'), /This browser/)
    assert.ok((await page.textContent('section[aria-labelledby="applications"]')).includes('Notes'))
    await page.click('#withdraw-1')
    await page.waitForSelector('#notice')
    assert.equal(await page.locator('#withdraw-1').count(), 0)
    // The notes show nobody: the grant behind the application's token is gone.
    await page.goto(APP_URL)
    await page.waitForSelector('#sign-in')
  },
  async 'a new password demands the old one, and signs in'() {
    await page.goto(ISSUER)
    await page.fill('#old_password', 'not this one')
    await page.fill('#new_password', 'through the looking glass')
    await page.fill('#new_password_again', 'through the looking glass')
    await page.click('#change-password')
    await page.waitForSelector('#problem')
    await page.fill('#old_password', ALICE_PASSWORD)
    await page.fill('#new_password', 'through the looking glass')
    await page.fill('#new_password_again', 'through the looking glass')
    await page.click('#change-password')
    await page.waitForSelector('#notice')
  },
  async 'logout asks, and ends the session'() {
    await page.click('#sign-out')
    await page.click('#logout-yes')
    await page.waitForSelector('#logged-out')
    await page.goto(ISSUER)
    await page.waitForSelector('#username')
    await signIn(page, ALICE, 'through the looking glass')
    await page.waitForSelector('#sign-out')
  },
  async 'the application\'s logout ends both sessions and returns'() {
    await page.goto(APP_URL)
    await page.click('#sign-in')
    await page.click('#allow')
    await page.waitForURL(`${APP_URL}/`)
    await page.click('#sign-out')
    // Its ID token says whose session ends, so nobody is asked.
    await page.waitForURL(`${APP_URL}/`)
    await page.goto(ISSUER)
    await page.waitForSelector('#username')
  },
  async 'an unknown client is an error page that names the error'() {
    await page.goto(`${ISSUER}/authorize?client_id=nobody&response_type=code`)
    assert.equal(await page.textContent('#error'), 'invalid_client')
  },
  async 'no page has complained in the console'() {
    // Chromium reports the answer to a wrong password, or an error page, as a resource that failed to load.
    assert.deepEqual(complaints.filter((text) => !/status of 4\d\d/.test(text)), [])
  },
}

try {
  for (const [name, run] of Object.entries(steps)) {
    step = name
    await run()
    console.log(`ok: ${name}`)
  }
} catch (error) {
  console.error(`failed: ${step}\n${error.stack}\nat ${page?.url()}`)
  mkdirSync(pictures, { recursive: true })
  const open = browser.contexts().flatMap((context) => context.pages())
  for (const [index, shown] of open.entries()) {
    const picture = join(pictures, `${step.replace(/[^a-z]+/gi, '-')}-${index}.png`)
    await shown.screenshot({ path: picture, fullPage: true }).catch(() => {})
    console.error(`picture: ${picture}`)
  }
  process.exitCode = 1
} finally {
  await browser.close()
}
