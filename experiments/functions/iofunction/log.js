'use strict';

// The file to which bodies are appended: $io_path, or else one of the replica's own in the temporary folder, which goes
// with the replica as a container's file goes with its container.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { RequestError } = require('./node/answers.js');
const { integerSetting } = require('./node/inputs.js');

const PATH = process.env.io_path || path.join(os.tmpdir(), `iofunction-${process.pid}-${process.hrtime.bigint()}.txt`);
const SYNC = integerSetting('io_sync', { fallback: 0, min: 0, max: 1 }) === 1;

if (!process.env.io_path) process.on('exit', () => fs.rmSync(PATH, { force: true }));

/**
 * Open, write, close; when it returns, every reader of the file sees the bytes (with io_sync=1 the disk has them too).
 * @throws {RequestError} 500, with the file and the reason
 */
async function append(file, bytes) {
  try {
    const handle = await fs.promises.open(file, 'a');
    try {
      // One call for all of it, so that bodies of concurrent requests don't mix; the rest is for a nearly full disk.
      for (let done = 0; done < bytes.length;) done += (await handle.write(bytes, done)).bytesWritten;
      if (SYNC) await handle.datasync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new RequestError(500, `${file}: can't be written: ${error.code || error.message}`);
  }
}

module.exports = { append, PATH };
