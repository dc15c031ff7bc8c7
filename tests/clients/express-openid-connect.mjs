// npm express-openid-connect 3: an Express application as its users write it, and a person's browser.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import express from 'express'
import openid from 'express-openid-connect'
import { Person } from './person.mjs'

const { ISSUER, PERSON_NAME, PERSON_PASSWORD, PERSON_SUB } = process.env
const { EXPRESS_ID, EXPRESS_SECRET, EXPRESS_PORT, TOLD_ID, TOLD_SECRET, TOLD_PORT, FORMS_ID, FORMS_PORT } = process.env

// What every application is told. One on the web would keep `secret` with its other secrets.
const settings = (port) => ({
  issuerBaseURL: ISSUER,
  baseURL: `http://localhost:${port}`,
  secret: 'a long, randomly-generated string stored in env',
  // Logout here is logout at the provider too.
  idpLogout: true,
  authRequired: false,
})

// And one that has a secret of ours.
const confidential = (clientID, clientSecret) => ({
  clientID,
  clientSecret,
  clientAuthMethod: 'client_secret_basic',
  authorizationParams: { response_type: 'code', scope: 'openid profile email offline_access' },
})

/** Serves the application for as long as `use` runs. */
async function served(port, options, use) {
  const app = express()
  const told = new Promise((resolve) => {
    app.post('/backchannel-logout', (request, response, next) => {
      response.on('finish', () => resolve(response.statusCode))
      next()
    })
  })
  app.use(openid.auth({ ...settings(port), ...options }))
  app.get('/', ({ oidc }, response) => response.json({ signedIn: oidc.isAuthenticated() }))
  app.get('/profile', openid.requiresAuth(), async ({ oidc }, response) => {
    response.json({ claims: oidc.idTokenClaims, userinfo: oidc.accessToken && (await oidc.fetchUserInfo()) })
  })
  app.get('/refresh', openid.requiresAuth(), async ({ oidc }, response) => {
    const before = oidc.accessToken.access_token
    response.json({ anew: (await oidc.accessToken.refresh()).access_token !== before })
  })
  app.get('/silent', openid.attemptSilentLogin(), ({ oidc }, response) => response.json({ signedIn: oidc.isAuthenticated() }))
  const server = app.listen(port, '127.0.0.1')
  const person = new Person(PERSON_NAME, PERSON_PASSWORD)
  const visit = async (path) => {
    const page = await person.browse(`http://localhost:${port}${path}`)
    assert.equal(page.status, 200, `${page.url}: ${page.body}`)
    assert.equal(page.url.port, port, `${page.url}: ${page.body}`)
    return { path: page.url.pathname, ...JSON.parse(page.body) }
  }
  try {
    await use(visit, person, told)
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

test('code flow: a page that demands sign-in, userinfo, refresh, logout at the provider', async () => {
  await served(EXPRESS_PORT, confidential(EXPRESS_ID, EXPRESS_SECRET), async (visit) => {
    assert.deepEqual(await visit('/'), { path: '/', signedIn: false })
    // Through our pages, and back to the page that was asked for.
    const { path, claims, userinfo } = await visit('/profile')
    assert.equal(path, '/profile')
    assert.equal(claims.sub, PERSON_SUB)
    assert.equal(claims.aud, EXPRESS_ID)
    assert.equal(userinfo.preferred_username, PERSON_NAME)
    assert.equal(userinfo.email, `${PERSON_NAME}@people.example`)
    assert.equal((await visit('/refresh')).anew, true)
    assert.deepEqual(await visit('/logout'), { path: '/', signedIn: false })
    // prompt=none, by redirects alone: nobody is signed in at the provider any more.
    assert.deepEqual(await visit('/silent'), { path: '/silent', signedIn: false })
  })
})

/** Where sessions are, so that the provider can end them: what the stores of express-session are. */
class Sessions {
  #sessions = new Map()
  get = (id, done) => done(null, this.#sessions.get(id))
  set = (id, session, done) => done(null, this.#sessions.set(id, session))
  destroy = (id, done) => done(null, this.#sessions.delete(id))
}

test('back-channel logout: signed out at the provider, signed out here', async () => {
  const options = { backchannelLogout: true, session: { store: new Sessions() } }
  await served(TOLD_PORT, { ...confidential(TOLD_ID, TOLD_SECRET), ...options }, async (visit, person, told) => {
    await visit('/profile')
    assert.equal((await visit('/')).signedIn, true)
    await person.browse(`${ISSUER}/logout`)
    assert.equal(await told, 204)
    assert.equal((await visit('/')).signedIn, false)
  })
})

test('what it does unless told otherwise: an ID token by form_post, without a secret', async () => {
  await served(FORMS_PORT, { clientID: FORMS_ID }, async (visit) => {
    const { claims, userinfo } = await visit('/profile')
    assert.equal(claims.sub, PERSON_SUB)
    // Core §5.4: no access token, so what the scopes open is in the ID token.
    assert.equal(claims.preferred_username, PERSON_NAME)
    assert.equal(userinfo, undefined)
    assert.deepEqual(await visit('/logout'), { path: '/', signedIn: false })
  })
})
