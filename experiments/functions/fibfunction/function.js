'use strict';

const { json } = require('./node/answers.js');
const { integerParam, integerSetting } = require('./node/inputs.js');
const { serve } = require('./node/server.js');

// fib(45) takes seconds, and every ten more take about 120 times as long: a stray value must not hold a replica for hours.
const MAX = integerSetting('fib_max', { fallback: 45, min: 0, max: 60 });

/** Naive on purpose: the calls are the work. fib(0) = fib(1) = 1, as in the thesis. */
function fib(n) {
  return n <= 1 ? 1 : fib(n - 1) + fib(n - 2);
}

serve(({ query }) => json({ result: fib(integerParam(query, 'param', { min: 0, max: MAX })) }));
