'use strict';

// A function as an HTTP server: any path is the function, GET /_/health says that it can serve, every response names the
// replica, SIGTERM lets it finish what it holds. The rules are those of docs/contracts.md, "A function".

const http = require('node:http');
const net = require('node:net');
const os = require('node:os');

const { json, text, RequestError } = require('./answers.js');
const { fail, integerSetting } = require('./inputs.js');

const REPLICA_ID = process.env.REPLICA_ID || os.hostname();
// The moment at which the process began, before Node.js itself was up.
const REPLICA_START = String(Math.round(performance.timeOrigin));
const MAX_BODY = integerSetting('max_body_bytes', { fallback: 10 * 2 ** 20, min: 0, max: 2 ** 31 });

// Whoever keeps a pool of connections should be the one to close them: then none is closed under a request.
const KEEP_ALIVE_MS = 300_000;
// On SIGTERM, requests which are in the kernel's buffers already still get their answer.
const LINGER_MS = 50;
// After 413, how long the rest of the body is read so that the client gets to see the answer.
const DISCARD_MS = 1_000;

const NO_BODY = Buffer.alloc(0);
const HEALTHY = text('OK\n');
let draining = false;

/**
 * Serve one function until SIGTERM.
 * @param {(request: {method: string, path: string, query: URLSearchParams, headers: object, body: Buffer}) =>
 *   {status: number, type: string, body: string|Buffer}} handle may be asynchronous; throws RequestError to refuse.
 */
function serve(handle) {
  const server = http.createServer((req, res) => {
    const mark = req.url.indexOf('?');
    const path = mark < 0 ? req.url : req.url.slice(0, mark);
    if (path === '/_/health') {
      req.resume();
      send(res, HEALTHY);
      return;
    }
    readBody(req, res, (body) => {
      const query = new URLSearchParams(mark < 0 ? '' : req.url.slice(mark + 1));
      answer(handle, { method: req.method, path, query, headers: req.headers, body }, res);
    });
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.on('clientError', refuseMalformed);
  server.on('error', (error) => fail(`can't listen on port ${process.env.PORT || 8080}: ${error.message}`));
  drainOnSignal(server);
  const port = integerSetting('PORT', { fallback: 8080, min: 0, max: 65535 });
  server.listen({ port, host: process.env.HOST || undefined, backlog: 1024 });
}

async function answer(handle, request, res) {
  let result;
  try {
    result = handle(request);
    if (result instanceof Promise) result = await result;
  } catch (error) {
    if (!(error instanceof RequestError)) process.stderr.write(`${error.stack}\n`);
    result = error instanceof RequestError
      ? json({ error: error.message }, error.status)
      : json({ error: 'the function failed; see its log' }, 500);
  }
  send(res, result);
}

function headersFor(type, length) {
  const headers = [
    'Content-Type', type,
    'Content-Length', String(length),
    'X-Replica-Id', REPLICA_ID,
    'X-Replica-Start-Time', REPLICA_START,
  ];
  if (draining) headers.push('Connection', 'close');
  return headers;
}

function send(res, { status, type, body }) {
  res.writeHead(status, headersFor(type, Buffer.byteLength(body)));
  res.end(body);
}

function readBody(req, res, then) {
  if (Number(req.headers['content-length']) > MAX_BODY) {
    refuseTooLarge(req, res);
    return;
  }
  let chunks = [];
  let size = 0;
  req.on('data', (chunk) => {
    size += chunk.length;
    if (chunks === null) return;
    if (size > MAX_BODY) {
      chunks = null;
      refuseTooLarge(req, res);
    } else {
      chunks.push(chunk);
    }
  });
  req.on('end', () => {
    if (chunks === null) return;
    then(chunks.length === 0 ? NO_BODY : chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, size));
  });
}

function refuseTooLarge(req, res) {
  const { status, type, body } = json({ error: `the body is larger than ${MAX_BODY} bytes (max_body_bytes)` }, 413);
  const headers = headersFor(type, Buffer.byteLength(body));
  if (!draining) headers.push('Connection', 'close');
  res.writeHead(status, headers);
  res.write(body);
  // To close now, with bytes unread, would reset the connection and could take the answer with it.
  const close = () => res.end();
  req.resume();
  req.on('end', close);
  setTimeout(close, DISCARD_MS).unref();
}

function refuseMalformed(error, socket) {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }[error.code] || 400;
  socket.end(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n` +
    `X-Replica-Id: ${REPLICA_ID}\r\nX-Replica-Start-Time: ${REPLICA_START}\r\n\r\n`,
  );
}

function drainOnSignal(server) {
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const drain = () => {
    if (draining) return;
    draining = true;
    // http's own close() would also close idle connections at once, before what is on its way has been read.
    net.Server.prototype.close.call(server, () => process.exit(0));
    setInterval(() => {
      server.closeIdleConnections();
      // Node.js counts a connection on which nothing was ever sent as busy; it must not hold up the end.
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
    }, LINGER_MS);
  };
  process.on('SIGTERM', drain);
  process.on('SIGINT', drain);
}

module.exports = { serve };
