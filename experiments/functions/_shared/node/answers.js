'use strict';

// What a handler returns ({status, type, body}) and how it refuses a request.

const JSON_TYPE = 'application/json';
const TEXT_TYPE = 'text/plain; charset=utf-8';

const json = (value, status = 200) => ({ status, type: JSON_TYPE, body: JSON.stringify(value) });
const text = (value, status = 200) => ({ status, type: TEXT_TYPE, body: value });

/** A failure with a status of its own; its message is shown to the caller as {"error": message}. */
class RequestError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

module.exports = { json, text, RequestError };
