// A proxy that speaks TLS, as people put one before a gateway.
//   node tls_proxy.mjs ADDRESS PORT CERTIFICATE KEY TARGET     TARGET: address:port of the gateway
// It says "ready" once it listens, and that every request comes from 203.0.113.9.
import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'

const [address, port, certificate, key, target] = process.argv.slice(2)
const [host, targetPort] = target.split(':')

const server = https.createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (request, response) => {
  const chain = [request.headers['x-forwarded-for'], '203.0.113.9'].filter(Boolean).join(', ')
  const headers = { ...request.headers, 'x-forwarded-for': chain, 'x-forwarded-proto': 'https' }
  const onward = http.request({ host, port: targetPort, method: request.method, path: request.url, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.rawHeaders)
    answer.pipe(response)
  })
  onward.on('error', () => response.writeHead(502).end())
  request.pipe(onward)
})
server.listen(port, address, () => console.log('ready'))
