// A person with a browser that runs no script: cookies, redirects, forms. Leads an authorization request through
// sign-in and consent, and stops at the redirect to the client.

const attribute = (tag, name) =>
  tag.match(new RegExp(`\\s${name}="([^"]*)"`))?.[1].replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replace(/&quot;/g, '"').replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&')

export class Person {
  #cookies = new Map()

  constructor(username, password) {
    this.answers = { username, password }
  }

  async #request(url, form) {
    const response = await fetch(url, {
      method: form ? 'POST' : 'GET',
      body: form,
      redirect: 'manual',
      headers: {
        cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        ...(form && { origin: new URL(url).origin, 'sec-fetch-site': 'same-origin' }),
      },
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = line.match(/^([^=]+)=([^;]*)/)
      if (/max-age=0/i.test(line)) this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
    return response
  }

  /** Goes through all pages of ours; answers the URL of the client it ends at, or the request of a form_post. */
  async visit(start) {
    let response = await this.#request(start)
    let url = new URL(start)
    for (let step = 0; step < 12; step++) {
      const location = response.headers.get('location')
      if (location) {
        const next = new URL(location, url)
        if (next.origin !== url.origin) return next
        url = next
        response = await this.#request(url)
        continue
      }
      const html = await response.text()
      // A browser with script sends this form by itself.
      if (html.includes('id="continue"')) {
        const form = html.match(/<form[^]*?<\/form>/)[0]
        const fields = [...form.matchAll(/<input[^>]*>/g)].map(([tag]) => [attribute(tag, 'name'), attribute(tag, 'value')])
        return new Request(attribute(form, 'action'), { method: 'POST', body: new URLSearchParams(fields) })
      }
      const button = ['sign-in', 'allow'].find((id) => html.includes(`id="${id}"`))
      if (!button) throw new Error(`nothing to press on ${url} (${response.status}):\n${html}`)
      const form = html.match(/<form[^]*?<\/form>/g).find((form) => form.includes(`id="${button}"`))
      const fields = new URLSearchParams()
      for (const [tag] of form.matchAll(/<input[^>]*>/g)) {
        const name = attribute(tag, 'name')
        fields.set(name, this.answers[name] ?? attribute(tag, 'value') ?? '')
      }
      fields.set(button, 'yes')
      url = new URL(attribute(form, 'action') ?? '', url)
      response = await this.#request(url, fields)
    }
    throw new Error('the pages go round in circles')
  }
}
