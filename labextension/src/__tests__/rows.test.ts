import { expect, test } from 'vitest';

import { groupFraction, type Row, toRows } from '../rows';
import { task } from './tasks';

const tasks = [
  task({ id: 'e' }),
  task({ id: 'd', group: 'g' }),
  task({ id: 'c', group: 'alone' }),
  task({ id: 'b', group: 'g', state: 'succeeded' }),
  task({ id: 'a' })
];

function names(rows: readonly Row[]): string[] {
  return rows.map(row => (row.kind === 'group' ? row.id : row.task.id));
}

test('a group is one row where its newest task would be, and a group of one is none', () => {
  expect(names(toRows(tasks, new Set()))).toEqual(['e', 'g', 'c', 'a']);
});

test('an unfolded group is followed by its tasks', () => {
  expect(names(toRows(tasks, new Set(['g'])))).toEqual(['e', 'g', 'd', 'b', 'c', 'a']);
});

test('what a group has done is the mean over its tasks', () => {
  expect(groupFraction([task(), task({ state: 'failed' })])).toBeCloseTo(0.625);
});
