// A person with a browser that runs no script: cookies, redirects, forms. Leads an authorization request through
// sign-in and consent, and stops at the redirect to the client, or goes on through the client's own pages.
import http from 'node:http'
import https from 'node:https'

const attribute = (tag, name) =>
  tag.match(new RegExp(`\\s${name}="([^"]*)"`))?.[1].replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replace(/&quot;/g, '"').replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&')

// A browser with script sends the form of `continue` by itself.
const BUTTONS = ['sign-in', 'allow', 'continue', 'logout-yes']

export class Person {
  // By origin: two programs on one host must not meet in a test.
  #cookies = new Map()

  constructor(username, password) {
    this.answers = { username, password }
  }

  /** Goes through all pages of ours; answers the URL of the client it ends at, or the request of a form_post. */
  async visit(start) {
    const { origin } = new URL(start)
    const { page, next } = await this.#walk({ url: new URL(start) }, (url) => url.origin !== origin)
    if (!next) throw new Error(`nothing to press on ${page.url} (${page.status}):\n${page.body}`)
    return next.form ? new Request(next.url, { method: 'POST', body: next.form }) : next.url
  }

  /** Goes wherever it is led, sending `form` first if there is one; answers the last page: `{ url, status, headers, body }`. */
  async browse(start, form) {
    return (await this.#walk({ url: new URL(start), form }, () => false)).page
  }

  async #walk(next, leaves) {
    for (let step = 0; step < 20; step++) {
      const page = await this.#request(next)
      const location = page.headers.get('location')
      next = location ? { url: new URL(location, page.url) } : this.#pressed(page)
      if (!next || leaves(next.url)) return { page, next }
    }
    throw new Error('the pages go round in circles')
  }

  #pressed({ url, body }) {
    const button = BUTTONS.find((id) => body.includes(`id="${id}"`))
    // A person who has no password to give stays at the page that asks for it.
    if (!button || (button === 'sign-in' && !this.answers.password)) return undefined
    const form = body.match(/<form[^]*?<\/form>/g).find((form) => form.includes(`id="${button}"`))
    const fields = new URLSearchParams()
    for (const [tag] of form.matchAll(/<input[^>]*>/g)) {
      // One button is pressed.
      if (attribute(tag, 'type') === 'submit') continue
      const name = attribute(tag, 'name')
      fields.set(name, this.answers[name] ?? attribute(tag, 'value') ?? '')
    }
    if (button !== 'continue') fields.set(button, 'yes')
    return { url: new URL(attribute(form, 'action') ?? '', url), form: fields }
  }

  async #request({ url, form }) {
    const cookies = this.#cookies.get(url.origin) ?? new Map()
    this.#cookies.set(url.origin, cookies)
    const response = await send(url, form, {
      cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
      accept: 'text/html',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
      ...(form && { origin: url.origin, 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = line.match(/^([^=]+)=([^;]*)/)
      const gone = /max-age=0/i.test(line) || Date.parse(line.match(/expires=([^;]*)/i)?.[1]) < Date.now()
      if (gone) cookies.delete(name)
      else cookies.set(name, value)
    }
    return response
  }
}

// Without fetch, which calls itself a script: some clients send nobody to sign in then.
const send = (url, form, headers) => new Promise((resolve, reject) => {
  const { request } = url.protocol === 'https:' ? https : http
  request(url, { method: form ? 'POST' : 'GET', headers, agent: false }, async (response) => {
    const received = new Headers()
    for (let i = 0; i < response.rawHeaders.length; i += 2) received.append(response.rawHeaders[i], response.rawHeaders[i + 1])
    resolve({ url, status: response.statusCode, headers: received, body: (await response.setEncoding('utf8').toArray()).join('') })
  }).on('error', reject).end(form?.toString())
})
