// npm express-openid-connect 3: an Express application as its users write it, and a person's browser.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import express from 'express'
import openid from 'express-openid-connect'
import { Person } from './person.mjs'

const { ISSUER, PERSON_NAME, PERSON_PASSWORD, PERSON_SUB } = process.env
const { EXPRESS_ID, EXPRESS_SECRET, EXPRESS_PORT, FORMS_ID, FORMS_PORT } = process.env

// What both applications are told. A web application would keep `secret` with its other secrets.
const settings = (port) => ({
  issuerBaseURL: ISSUER,
  baseURL: `http://localhost:${port}`,
  secret: 'a long, randomly-generated string stored in env',
  // Logout here is logout at the provider too.
  idpLogout: true,
  authRequired: false,
})

/** Serves the application for as long as `use` runs. */
async function served(port, options, use) {
  const app = express()
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
  try {
    const person = new Person(PERSON_NAME, PERSON_PASSWORD)
    await use(async (path) => {
      const page = await person.browse(`http://localhost:${port}${path}`)
      assert.equal(page.status, 200, `${page.url}: ${page.body}`)
      assert.equal(page.url.port, port, `${page.url}: ${page.body}`)
      return { path: page.url.pathname, ...JSON.parse(page.body) }
    })
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

test('code flow: a page that demands sign-in, userinfo, refresh, logout at the provider', async () => {
  const options = {
    clientID: EXPRESS_ID,
    clientSecret: EXPRESS_SECRET,
    clientAuthMethod: 'client_secret_basic',
    authorizationParams: { response_type: 'code', scope: 'openid profile email offline_access' },
  }
  await served(EXPRESS_PORT, options, async (visit) => {
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
