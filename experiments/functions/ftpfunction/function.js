'use strict';

const { readFileSync } = require('node:fs');

const { json, RequestError } = require('./node/answers.js');
const { integerSetting } = require('./node/inputs.js');
const { serve } = require('./node/server.js');
const ftp = require('./ftp.js');

const FILE = 'test.txt';
const SECRET = '/var/openfaas/secrets/ftp-password';
const SERVER = {
  host: process.env.ftp_host,
  port: integerSetting('ftp_port', { fallback: 21, min: 1, max: 65535 }),
  user: process.env.ftp_user,
  password: process.env.ftp_password || secret(SECRET),
  timeoutMs: 1000 * integerSetting('ftp_timeout', { fallback: 30, min: 1, max: 3600 }),
};

function secret(path) {
  try {
    return readFileSync(path, 'utf8').trimEnd();
  } catch (error) {
    if (error.code === 'ENOENT') return '';
    throw error;
  }
}

serve(async () => {
  for (const key of ['host', 'user', 'password']) {
    if (!SERVER[key]) throw new RequestError(500, `environment: ftp_${key}: found nothing, allowed: a value`);
  }
  let bytes;
  try {
    bytes = await ftp.download(SERVER, FILE);
  } catch (error) {
    if (!(error instanceof ftp.FtpError)) throw error;
    throw new RequestError(502, error.message);
  }
  if (bytes === 0) throw new RequestError(502, `${FILE} is empty on the FTP server`);
  return json({ result: { status: 'done' } });
});
