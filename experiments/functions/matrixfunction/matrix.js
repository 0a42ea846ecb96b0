'use strict';

// Square matrices as arrays of rows, multiplied the plain way: the arithmetic is the work.

/** size × size, element (i, j) is i * j, counted from 0. */
function create(size) {
  return Array.from({ length: size }, (_, i) => Array.from({ length: size }, (__, j) => i * j));
}

function multiply(a, b) {
  const size = a.length;
  const product = [];
  for (let i = 0; i < size; i++) {
    const row = [];
    for (let j = 0; j < size; j++) {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += a[i][k] * b[k][j];
      row.push(sum);
    }
    product.push(row);
  }
  return product;
}

/** The first rows and columns, at most size of each. */
function corner(matrix, size) {
  return matrix.slice(0, size).map((row) => row.slice(0, size));
}

module.exports = { create, multiply, corner };
