import { nullTranslator } from '@jupyterlab/translation';
import { expect, test } from 'vitest';

import {
  briefStatus,
  costText,
  duration,
  fraction,
  recipeText,
  statusText,
  summary,
  timeLeft
} from '../format';
import { request, task } from './tasks';

const trans = nullTranslator.load('gpugen');
const done = task({ state: 'succeeded', progress: null, timings: { total: 1.62 } });

test('the fraction counts finished images and steps of the present one', () => {
  const progress = { image: 1, step: 10, steps: 20, seconds_per_step: null };

  expect(fraction(task({ request: { ...request, n: 4 }, progress }))).toBeCloseTo(0.375);
});

test('there is no fraction before the first step and after the end', () => {
  expect(fraction(task({ state: 'queued', progress: null }))).toBeNull();
  expect(fraction(done)).toBeNull();
});

test.each([
  [1.62, '1.6 s'],
  [42.3, '42 s'],
  [125, '2:05'],
  [119.7, '2:00']
])('%d seconds read %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test.each([
  [task(), 'step 5 of 20'],
  [task({ phase: 'loading', phase_text: 'loading emoji', progress: null }), 'loading emoji'],
  [task({ phase: 'canceling' }), 'stopping'],
  [task({ progress: { image: 0, step: 5, steps: 20, seconds_per_step: 0.2 } }), 'step 5 of 20 · 3.0 s left'],
  [
    task({
      state: 'queued',
      phase: 'queued',
      phase_text: '2 tasks before yours',
      queue_position: 3,
      eta_seconds: 42
    }),
    'number 3 in line · 2 tasks before yours · about 42 s left'
  ],
  [task({ state: 'queued', phase: 'queued' }), 'waiting'],
  [done, 'done in 1.6 s'],
  [task({ state: 'failed', error: { code: 'x', message: 'Out of memory.', hint: '' } }), 'Out of memory.'],
  [task({ state: 'canceled' }), 'canceled']
])('the status says what goes on: %#', (subject, text) => {
  expect(statusText(subject, trans)).toBe(text);
});

test.each([
  [
    task({ request: { ...request, n: 4 }, progress: { image: 1, step: 5, steps: 20, seconds_per_step: 1 } }),
    'image 2 of 4',
    '55 s left'
  ],
  [task({ progress: { image: 0, step: 5, steps: 20, seconds_per_step: null } }), 'step 5 of 20', ''],
  [
    task({ state: 'queued', phase_text: 'no worker', queue_position: 3, eta_seconds: 42 }),
    'number 3 in line · no worker',
    'about 42 s left'
  ],
  [done, 'done in 1.6 s', '']
])('a narrow line says the coarsest, and when: %#', (subject, text, left) => {
  expect(briefStatus(subject, trans)).toBe(text);
  expect(timeLeft(subject, trans)).toBe(left);
});

test.each([
  [{ today: 0, per_task: null, limit_per_day: null }, ''],
  [{ today: 0, per_task: null, limit_per_day: 5 }, 'about $0.00 today (UTC) · at most $5.00 a day'],
  [{ today: 1.234, per_task: 0.01234, limit_per_day: null }, 'about $1.23 today (UTC) · $0.0123 a task']
])('the cost of a day is told where there is one: %#', (cost, text) => {
  expect(costText(cost, trans)).toBe(text);
});

test('one step is one step', () => {
  expect(recipeText(task({ request: { ...request, steps: 1 } }), trans)).toBe(
    'emoji · 128×128 · 1 step · guidance 1.5 · dpm++ · seed 7'
  );
});

test('the summary counts what is not finished', () => {
  const queued = task({ state: 'queued' });

  expect(summary([queued, queued, task(), done], trans)).toBe('1 running · 2 waiting');
  expect(summary([done], trans)).toBe('nothing is running');
});
