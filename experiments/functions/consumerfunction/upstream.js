'use strict';

// One POST to the gateway over a pool of kept connections.

const http = require('node:http');
const https = require('node:https');

const { RequestError } = require('./node/answers.js');

const options = { keepAlive: true, maxSockets: 1024, maxFreeSockets: 256 };
const agents = { 'http:': [http, new http.Agent(options)], 'https:': [https, new https.Agent(options)] };

/**
 * @returns {Promise<{status: number, type: string, body: Buffer}>}
 * @throws {RequestError} 500 for a URL that is none, 502 when nobody answers, 504 when the answer takes too long
 */
async function post(url, timeoutMs) {
  let target;
  try {
    target = new URL(url);
  } catch {
    target = {};
  }
  if (!agents[target.protocol]) {
    throw new RequestError(500, 'environment: gateway_endpoint: found no URL, allowed: http://host:port or https://…');
  }
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt(target, deadline - Date.now());
    } catch (error) {
      if (error instanceof RequestError) throw error;
      // The other side had closed a kept connection at that very moment; to multiply matrices twice does no harm.
      if (error.reusedSocket && error.code === 'ECONNRESET') continue;
      throw new RequestError(502, `no answer from ${target.host}: ${error.code || error.message}`);
    }
  }
}

function attempt(target, timeoutMs) {
  const [client, agent] = agents[target.protocol];
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'text/plain', 'Content-Length': '0' };
    const request = client.request(target, { method: 'POST', agent, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', failed);
      response.on('end', () => {
        clearTimeout(timer);
        const type = response.headers['content-type'] || 'application/json';
        resolve({ status: response.statusCode, type, body: Buffer.concat(chunks) });
      });
    });
    const timer = setTimeout(() => {
      reject(new RequestError(504, `no answer from ${target.host} within ${Math.round(timeoutMs / 1000)} s`));
      request.destroy();
    }, timeoutMs);
    function failed(error) {
      clearTimeout(timer);
      reject(Object.assign(error, { reusedSocket: request.reusedSocket }));
    }
    request.on('error', failed);
    request.end();
  });
}

module.exports = { post };
