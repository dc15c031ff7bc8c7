// Our pages in headless Chromium: the sign-in form in two windows, after the back button and a reload; and every page in every
// language on a telephone and on a desk. With PICTURES=folder each is photographed, light and dark.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { launch } from './browser.mjs'

const { ISSUER, PERSON_NAME, PERSON_PASSWORD, PAGES_ID, PAGES_PORT, PICTURES } = process.env
const redirect_uri = `http://127.0.0.1:${PAGES_PORT}/callback`

let browser, server
before(async () => {
  browser = await launch()
  server = createServer((request, response) => response.setHeader('content-type', 'text/html').end('<p id="arrived">arrived</p>'))
  server.listen(PAGES_PORT, '127.0.0.1')
})
after(async () => {
  await browser.close()
  server.close()
})

const request = (more) => {
  const url = new URL(`${ISSUER}/authorize`)
  url.search = new URLSearchParams({ client_id: PAGES_ID, redirect_uri, response_type: 'code', scope: 'openid', ...more })
  return url.href
}
const person = async (options) => {
  const context = await browser.newContext(options)
  context.setDefaultTimeout(15_000)
  return context
}
const signIn = async (page, password = PERSON_PASSWORD) => {
  await page.fill('#username', PERSON_NAME)
  await page.fill('#password', password)
  await page.click('#sign-in')
}
const arrives = async (page, state) => {
  await page.waitForSelector('#arrived')
  const answer = new URL(page.url()).searchParams
  assert.equal(answer.get('state'), state)
  assert.ok(answer.get('code'), page.url())
}

test('two windows of one browser sign in one after the other, each for its own request', async () => {
  const context = await person()
  const [one, other] = [await context.newPage(), await context.newPage()]
  await one.goto(request({ state: 'one' }))
  await other.goto(request({ state: 'other' }))
  await signIn(one)
  await signIn(other)
  // The second sign-in made another session, and people allow what they see as who they are now: the page comes once more.
  await Promise.all([one.waitForEvent('framenavigated'), one.click('#allow')])
  await one.click('#allow')
  await arrives(one, 'one')
  await other.click('#allow')
  await arrives(other, 'other')
  await context.close()
})

test('the back button leads to a form that still signs in', async () => {
  const context = await person()
  const page = await context.newPage()
  await page.goto(request({ state: 'back' }))
  await signIn(page, 'wrong password')
  await page.waitForSelector('#problem')
  await page.goBack()
  await signIn(page)
  await page.waitForSelector('#allow')
  // And once more from the page after it, when somebody is signed in already.
  await page.goBack()
  await page.waitForSelector('#sign-in')
  await signIn(page)
  await page.click('#allow')
  await arrives(page, 'back')
  await context.close()
})

test('a reload asks for nothing twice', async () => {
  const context = await person()
  const page = await context.newPage()
  await page.goto(request({ state: 'reload' }))
  await page.reload()
  await signIn(page, 'wrong password')
  await page.waitForSelector('#problem')
  // The form is sent again: wrong again, and no error page.
  await page.reload()
  await page.waitForSelector('#problem')
  await signIn(page)
  await page.waitForSelector('#allow')
  await page.reload()
  await page.click('#allow')
  await arrives(page, 'reload')
  await page.goto(`${ISSUER}/logout`)
  await page.reload()
  await page.click('#logout-yes')
  await page.waitForSelector('#logged-out')
  await page.reload()
  await page.waitForSelector('#logged-out')
  await context.close()
})

// Everything that a person does on the way to an application and out again.
test('the whole way without script', async () => {
  const context = await person({ javaScriptEnabled: false })
  const page = await context.newPage()
  const complaints = []
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  await page.goto(request({ state: 'one' }))
  await signIn(page, 'wrong password')
  await page.waitForSelector('#problem')
  await signIn(page)
  await page.click('#allow')
  await arrives(page, 'one')
  await page.goto(request({ state: 'two', prompt: 'select_account' }))
  await page.click('#account-1')
  await page.click('#allow')
  await arrives(page, 'two')
  await page.goto(request({ state: 'three', prompt: 'select_account' }))
  await page.click('#other-account')
  await signIn(page)
  await page.click('#deny')
  await page.waitForSelector('#arrived')
  assert.equal(new URL(page.url()).searchParams.get('error'), 'access_denied')
  await page.goto(`${ISSUER}/logout`)
  await page.click('#logout-yes')
  await page.waitForSelector('#logged-out')
  await page.click('#sign-in-again')
  await page.waitForSelector('#sign-in')
  assert.deepEqual(complaints.filter((text) => !/status of 422|favicon/.test(text)), [])
  await context.close()
})

const sizes = { telephone: { width: 360, height: 740 }, desk: { width: 1280, height: 900 } }

// Nothing sticks out of the window, and no button or label is cut off.
const fits = async (page, name) => {
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport)
    const outside = await page.evaluate(() => {
      const wide = document.documentElement.scrollWidth > window.innerWidth ? ['the page'] : []
      const cut = [...document.querySelectorAll('button, [type=submit], a, label, p, h1, h2, li')].filter((element) => {
        const box = element.getBoundingClientRect()
        return element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== 'inline'
          || box.right > window.innerWidth + 1 || box.left < -1
      })
      return [...wide, ...cut.map((element) => element.outerHTML.slice(0, 200))]
    })
    assert.deepEqual(outside, [], `${name} on a ${size}`)
    if (!PICTURES) continue
    mkdirSync(PICTURES, { recursive: true })
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme })
      await page.screenshot({ path: join(PICTURES, `${name}-${size}-${colorScheme}.png`), fullPage: true })
    }
  }
}

for (const locale of ['en', 'de', 'fr', 'es', 'pt']) {
  test(`every page fits, ${locale}`, async () => {
    const context = await person({ locale })
    const page = await context.newPage()
    const shows = async (name, selector) => {
      await page.waitForSelector(selector)
      assert.equal(await page.getAttribute('html', 'lang'), locale)
      await fits(page, `${name}-${locale}`)
    }
    const scope = 'openid profile email address phone offline_access roles'
    await page.goto(request({ scope, prompt: 'consent' }))
    await shows('login', '#sign-in')
    await signIn(page, 'wrong password')
    await shows('wrong', '#problem')
    await signIn(page)
    await shows('consent', '#allow')
    await page.click('#allow')
    await page.waitForSelector('#arrived')
    await page.goto(request({ prompt: 'login' }))
    await shows('confirm', '#sign-in')
    await page.goto(request({ prompt: 'select_account' }))
    await shows('select-account', '#other-account')
    await page.goto(ISSUER)
    await shows('account', '#change-password')
    await page.fill('#old_password', PERSON_PASSWORD)
    await page.fill('#new_password', 'one of them')
    await page.fill('#new_password_again', 'the other one')
    await page.click('#change-password')
    await shows('password', '#problem')
    await page.goto(`${ISSUER}/authorize?client_id=nobody`)
    await shows('error', '#error')
    await page.goto(`${ISSUER}/logout?client_id=${PAGES_ID}`)
    await shows('logout', '#logout-yes')
    await page.click('#logout-yes')
    await shows('logged-out', '#logged-out')
    await context.close()
  })
}
