// Our pages in Lynx, which has no script, no style and the HTML of 1999: a person signs in, allows, chooses an account and signs out
// by its keys, and reads what Lynx prints. w3m, of the same age, prints the same pages in its own way.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'

const { ISSUER, PERSON_NAME, PERSON_PASSWORD, OLD_ID, OLD_SECRET, OLD_PORT } = process.env
const redirect_uri = `http://127.0.0.1:${OLD_PORT}/callback`
const site = new URL(ISSUER).host

// The application answers meanwhile.
const run = (program, more, environment) => promisify(execFile)(program, more, {
  env: { ...process.env, HOME: folder, LANG: 'C.UTF-8', ...environment }, timeout: 60_000,
})

const folder = mkdtempSync(join(tmpdir(), 'pg_identity-lynx-'))
const arrived = []
let server
// The application: it redeems what arrives at once, as long as the session goes on.
const redeemed = async (code) => {
  const answer = await fetch(`${ISSUER}/token`, {
    method: 'POST', headers: { authorization: `Basic ${Buffer.from(`${OLD_ID}:${OLD_SECRET}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri }),
  })
  return answer.status
}
before(async () => {
  server = createServer(async (request, response) => {
    const answer = new URL(request.url, redirect_uri).searchParams
    arrived.push([answer.get('state'), answer.get('error') ?? await redeemed(answer.get('code'))])
    response.setHeader('content-type', 'text/html').end('<p>arrived</p>')
  })
  await new Promise((resolve) => server.listen(OLD_PORT, '127.0.0.1', resolve))
})
after(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

const request = (more) => {
  const url = new URL(`${ISSUER}/authorize`)
  url.search = new URLSearchParams({ client_id: OLD_ID, redirect_uri, response_type: 'code', scope: 'openid profile', ...more })
  return url.href
}

const keys = (...names) => names.map((name) => `key ${name}`)
const enter = keys('^J')
const down = (times) => Array(times).fill(keys('Down Arrow')).flat()
const type = (text) => keys(...[...text].map((letter) => (letter === ' ' ? '<space>' : letter)))
// Printed where no field has the letters: then the first thing to press or fill in has them again.
const print = (name) => [...keys('p'), ...enter, ...keys('^U'), ...type(join(folder, name)), ...enter]
const open = (address) => [...keys('g', '^U'), ...type(address), ...enter]

const lynx = (address, ...script) => {
  writeFileSync(join(folder, 'script'), `${[...script.flat(), ...keys('q', 'y')].join('\n')}\n`)
  return run('lynx', ['-accept_all_cookies', '-nopause', `-cmd_script=${join(folder, 'script')}`, address], {
    TERM: 'vt100', LINES: '60', COLUMNS: '100',
  })
}
const trimmed = (text) => text.split('\n').map((line) => line.trim()).filter(Boolean)
const printed = (name) => trimmed(readFileSync(join(folder, name), 'utf8'))

test('by the keys of Lynx', async () => {
  await lynx(
    request({ state: 'one' }),
    // What the page says, from its button.
    down(2), print('login'),
    type(PERSON_NAME), down(1), type('wrong password'), down(1), enter,
    down(2), print('wrong'),
    // The name is kept.
    down(1), type(PERSON_PASSWORD), down(1), enter,
    print('consent'), down(1), enter,
    open(request({ state: 'two', prompt: 'select_account' })),
    print('chooser'), enter,
    down(1), enter,
    open(request({ state: 'three' })),
    down(2), enter,
    open(`${ISSUER}/logout?client_id=${OLD_ID}`),
    print('logout'), enter,
    print('done'),
    open(`${ISSUER}/authorize?client_id=nobody`),
    print('error'),
  )
  const warning = `Before you type your password, check that the address of this page begins with ${site}.`
  const said = (name) => printed(name).join(' ')
  assert.equal(said('login'), `${site} Sign in to continue to Old notes Username or email ____________________ Password ____________________ Sign in ${warning}`)
  const wrong = said('wrong')
  assert.match(wrong, /^\S+ Sign in to continue to Old notes The username or the password is not right\. Username or email alice_{15} Password _{20} Sign in /)
  const consent = printed('consent')
  assert.deepEqual(consent.slice(0, 4), [site, 'Allow Old notes?', 'You are signed in as alice Liddell. Not you?', 'It will be able to'])
  assert.ok(consent.includes('Allow Deny'), consent.join('\n'))
  assert.ok(consent.some((line) => line.endsWith('See your name and profile')))
  assert.ok(printed('chooser').includes('* (1) alice Liddell alice'), printed('chooser').join('\n'))
  assert.ok(printed('chooser').includes('Use another account'))
  assert.deepEqual(printed('logout'), [site, 'Sign out?', `Old notes asks to sign you out of ${site}.`, 'Sign out Stay signed in'])
  assert.ok(said('done').startsWith(`${site} You are signed out Your session at ${site} has ended in this browser. `), said('done'))
  assert.ok(printed('error').includes('Error code: invalid_client'), printed('error').join('\n'))

  assert.deepEqual(arrived, [['one', 200], ['two', 200], ['three', 'access_denied']])
})

test('w3m shows labels beside fields, and buttons as buttons', async () => {
  const { stdout } = await run('w3m', ['-dump', '-cookie', request({ state: 'w3m' })])
  const text = trimmed(stdout)
  assert.ok(text.includes('Sign in') && text.includes('[Sign in]'), text.join('\n'))
  assert.ok(text.some((line) => /^Username or email ?\[ +\]$/.test(line)) && text.some((line) => /^Password ?\[ +\]$/.test(line)), text.join('\n'))
})
