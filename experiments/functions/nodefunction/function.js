'use strict';

const { json } = require('./node/answers.js');
const { serve } = require('./node/server.js');

const HELLO = json({ status: 'Hello From NodeJS Serverless Function' });

serve(() => HELLO);
