'use strict';

const { json } = require('./node/answers.js');
const { integerParam, integerSetting } = require('./node/inputs.js');
const { serve } = require('./node/server.js');
const matrix = require('./matrix.js');

const CORNER = 10;
// The work grows with the cube: 1,000 takes seconds, during which the replica answers nothing else.
const MAX = integerSetting('matrix_max', { fallback: 1000, min: 1, max: 10_000 });

serve(({ query }) => {
  const size = integerParam(query, 'param', { fallback: 1, min: 1, max: MAX });
  const product = matrix.multiply(matrix.create(size), matrix.create(size));
  return json({ result: matrix.corner(product, CORNER) });
});
