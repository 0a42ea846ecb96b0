'use strict';

// Numbers that come from outside: from the query string of a request and from the environment of the process.

const { RequestError } = require('./answers.js');

function integer(text, min, max) {
  if (!/^-?\d{1,15}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}

/**
 * A whole number from the query string.
 * @param {{fallback?: number, min: number, max: number}} allowed without a fallback the parameter must be there.
 * @throws {RequestError} 400
 */
function integerParam(query, name, { fallback, min, max }) {
  const found = query.get(name);
  if (found === null && fallback !== undefined) return fallback;
  const value = found === null ? undefined : integer(found.trim(), min, max);
  if (value === undefined) {
    const what = found === null ? 'nothing' : JSON.stringify(found.slice(0, 40));
    throw new RequestError(400, `${name}: found ${what}, allowed: a whole number from ${min} to ${max}`);
  }
  return value;
}

/** A whole number from the environment; a bad one ends the process with one line. */
function integerSetting(name, { fallback, min, max }) {
  const found = process.env[name];
  if (found === undefined || found === '') return fallback;
  const value = integer(found, min, max);
  if (value === undefined) fail(`environment: ${name}: found ${found}, allowed: a whole number from ${min} to ${max}`);
  return value;
}

/** The function can't serve: say why and end. */
function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

module.exports = { integerParam, integerSetting, fail };
