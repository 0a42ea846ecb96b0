'use strict';

// Echo: so little work that a response time is the platform's, above all after a cold start.

const { json } = require('./node/answers.js');
const { serve } = require('./node/server.js');
const { received } = require('./received.js');

serve(({ headers, body }) => json({ result: `Received input: ${JSON.stringify(received(headers, body))}` }));
