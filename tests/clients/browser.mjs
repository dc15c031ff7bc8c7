// Headless Chromium, of Debian.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const options = {
  executablePath: '/usr/bin/chromium',
  // Without these Chromium asks for addresses far away, many at a time; its sandbox refuses to run as root.
  args: [
    '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
  ],
}

/** Starts it. Every context is a profile of its own. */
export const launch = () => chromium.launch(options)

/**
 * Starts it with one profile, which lets third-party cookies pass as upstream's does: Debian's blocks them, and so do the private
 * windows that contexts are. `hosts` are names of this machine, with certificates of the test's own making.
 */
export async function profile(...hosts) {
  const folder = mkdtempSync(join(tmpdir(), 'pg_identity-chromium-'))
  mkdirSync(join(folder, 'Default'))
  writeFileSync(join(folder, 'Default/Preferences'), JSON.stringify({ profile: { cookie_controls_mode: 0 } }))
  const context = await chromium.launchPersistentContext(folder, {
    ...options,
    args: [...options.args, `--host-resolver-rules=${hosts.map((host) => `MAP ${host} 127.0.0.1`)}`],
    ignoreHTTPSErrors: true,
  })
  const close = async () => {
    await context.close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  return { context, close }
}
