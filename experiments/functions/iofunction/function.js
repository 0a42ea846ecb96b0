'use strict';

const { serve } = require('./node/server.js');
const { append, PATH } = require('./log.js');

serve(async ({ headers, body }) => {
  await append(PATH, body);
  return { status: 200, type: headers['content-type'] || 'text/plain; charset=utf-8', body };
});
