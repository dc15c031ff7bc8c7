// A private Apache of Debian's apache2-bin: one process, everything in a folder of its own, no system service.
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

const MODULES = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'dir', 'headers']

/** Serves a page for each of `pages` on this port. Answers what stops it; the log is part of what failed. */
export async function apache(port, module, config, pages) {
  const folder = mkdtempSync(join(tmpdir(), 'pg_identity-apache-'))
  // Started as root it serves as nobody.
  chmodSync(folder, 0o755)
  mkdirSync(join(folder, 'www'))
  for (const page of pages) {
    mkdirSync(join(folder, 'www', page), { recursive: true })
    writeFileSync(join(folder, 'www', page, 'index.html'), `This is ${page}.`)
  }
  const file = join(folder, 'apache.conf')
  writeFileSync(file, `
    ServerName localhost
    Listen 127.0.0.1:${port}
    DefaultRuntimeDir ${folder}
    PidFile ${folder}/pid
    Mutex file:${folder}
    ErrorLog ${folder}/log
    DocumentRoot ${folder}/www
    ${process.getuid() === 0 ? 'User nobody\nGroup nogroup' : ''}
    ${[...MODULES, module].flat().map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
    ${config}`)
  // -X: one process that stays in the foreground; it ends with this one, however that ends.
  const server = spawn('setpriv', ['--pdeathsig', 'KILL', '/usr/sbin/apache2', '-X', '-f', file], { stdio: 'inherit' })
  const ended = new Promise((resolve) => server.on('exit', resolve))
  const log = () => readFileSync(join(folder, 'log'), 'utf8')
  for (const deadline = Date.now() + 20_000; !(await accepts(port)); await setTimeout(20)) {
    if (server.exitCode !== null || Date.now() > deadline) throw new Error(`Apache does not start:\n${log()}`)
  }
  const stop = async () => {
    server.kill('SIGTERM')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  return { stop, log }
}

const accepts = (port) => new Promise((resolve) => {
  const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
  socket.end()
})
