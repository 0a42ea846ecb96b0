'use strict';

const { RequestError } = require('./node/answers.js');

/**
 * The body as a handler of OpenFaaS sees it: parsed when it is JSON, else as text; {} when there is none.
 * @throws {RequestError} 400 when it says it is JSON and isn't.
 */
function received(headers, body) {
  if (body.length === 0) return {};
  const text = body.toString('utf8');
  if (!/^application\/json\b/i.test(headers['content-type'] || '')) return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RequestError(400, `body: found text that is not JSON (${error.message}), allowed: JSON`);
  }
}

module.exports = { received };
