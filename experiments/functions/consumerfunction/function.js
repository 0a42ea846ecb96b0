'use strict';

const { RequestError } = require('./node/answers.js');
const { integerParam, integerSetting } = require('./node/inputs.js');
const { serve } = require('./node/server.js');
const { post } = require('./upstream.js');

const ENDPOINT = (process.env.gateway_endpoint || '').replace(/\/+$/, '');
const TIMEOUT_S = integerSetting('upstream_timeout', { fallback: 305, min: 1, max: 86_400 });

serve(async ({ query }) => {
  if (!ENDPOINT) {
    throw new RequestError(500, 'environment: gateway_endpoint: found nothing, allowed: the URL of the gateway');
  }
  const param = integerParam(query, 'param', { fallback: 1, min: 1, max: Number.MAX_SAFE_INTEGER });
  const { status, type, body } = await post(`${ENDPOINT}/function/matrixfunction?param=${param}`, TIMEOUT_S * 1000);
  // What the caller may mend is told to the caller; everything else is a failure of what lies behind.
  if (status === 400) return { status, type, body };
  if (status < 200 || status > 299) throw new RequestError(502, `matrixfunction answered ${status}`);
  return { status: 200, type, body };
});
