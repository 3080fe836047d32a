import { expect, test } from 'vitest';

import { TaskStore } from '../store';
import type { ITask, TaskEvent } from '../types';
import { task } from './tasks';

function stored(...tasks: ITask[]): TaskStore {
  const store = new TaskStore();
  store.merge(tasks, store.now);
  return store;
}

const drawn: TaskEvent = { type: 'image', task: 't1', seq: 4, index: 0, sha256: 'ab', seed: 7 };

test('tasks are told newest first', () => {
  const store = stored(task({ id: 'a' }), task({ id: 'c' }), task({ id: 'b' }));

  expect(store.tasks.map(({ id }) => id)).toEqual(['c', 'b', 'a']);
});

test('an event changes its task, and the same event again does not', () => {
  const store = stored(task());

  store.apply(drawn);
  store.apply({ ...drawn, sha256: 'cd' });

  expect(store.get('t1')?.images).toEqual([{ index: 0, sha256: 'ab', seed: 7 }]);
});

test('events that a snapshot contains change nothing', () => {
  const store = new TaskStore();
  const data = task({ state: 'succeeded' });
  store.apply({ type: 'snapshot', task: 't1', seq: 9, data });

  store.apply({ type: 'phase', task: 't1', seq: 3, phase: 'loading', text: 'loading' });

  expect(store.get('t1')).toEqual(data);
});

test('a listing asked for before an event came does not undo it', () => {
  const store = stored(task());
  const asked = store.now;
  store.apply(drawn);

  store.merge([task()], asked);
  expect(store.get('t1')?.images).toHaveLength(1);

  store.merge([task({ state: 'succeeded' })], store.now);
  expect(store.get('t1')?.state).toBe('succeeded');
});

test('what the newest page should hold and does not was removed elsewhere; older pages say nothing', () => {
  const store = stored(task({ id: 'a' }), task({ id: 'b' }), task({ id: 'c' }));
  const page = { tasks: [task({ id: 'b' })], next_cursor: 'older' };

  store.prune(page, store.now);

  expect(store.tasks.map(({ id }) => id)).toEqual(['b', 'a']);
});

test('progress and preview show in a running task only, and the preview goes with its end', () => {
  const store = stored(task(), task({ id: 'done', state: 'succeeded', progress: null }));
  const live = { image: 0, step: 9, steps: 20, seconds_per_step: 0.1 };

  for (const id of ['t1', 'done']) {
    store.apply({ type: 'progress', task: id, ...live });
    store.apply({ type: 'preview', task: id, mime: 'image/jpeg', data: 'AAAA' });
  }

  expect(store.get('t1')?.progress).toEqual(live);
  expect(store.preview('t1')).toBe('data:image/jpeg;base64,AAAA');
  expect(store.get('done')?.progress).toBeNull();
  expect(store.preview('done')).toBeNull();
  store.apply({ type: 'state', task: 't1', seq: 5, state: 'succeeded', error: null });
  expect(store.preview('t1')).toBeNull();
});

test('an unknown task, a new state and a gap ask for the whole task; a phase does not', () => {
  const store = stored(task());

  expect(store.apply({ type: 'phase', task: 't1', seq: 1, phase: 'loading', text: '' })).toBe(false);
  expect(store.apply({ type: 'state', task: 't1', seq: 2, state: 'running', error: null })).toBe(true);
  expect(store.apply({ ...drawn, task: 'stranger' })).toBe(true);
  expect(store.apply({ type: 'gap', task: 't1', until: 5 })).toBe(true);
});

test('a new connection goes on after the last event of what is not finished', () => {
  const store = stored(task(), task({ id: 't2', state: 'succeeded' }), task({ id: 't3', state: 'queued' }));
  store.apply(drawn);

  expect(store.positions()).toEqual({ t1: 4, t3: 0 });
});

test('a wait that is told anew brings the place and the time left, a phase without them leaves both', () => {
  const store = stored(
    task({ state: 'queued', queue_position: 3, queue_position_text: '3', eta_seconds: 9 })
  );

  store.apply({ type: 'phase', task: 't1', seq: 5, phase: 'starting', text: 'a machine comes', data: {} });
  expect(store.get('t1')).toMatchObject({ queue_position_text: '3', eta_seconds: 9 });

  const data = { position: 2, eta_seconds: 6 };
  store.apply({ type: 'phase', task: 't1', seq: 6, phase: 'queued', text: '1 task before yours', data });
  expect(store.get('t1')).toMatchObject({ queue_position: 2, queue_position_text: '2', eta_seconds: 6 });

  const none = { position: null, eta_seconds: null };
  store.apply({ type: 'phase', task: 't1', seq: 7, phase: 'queued', text: 'too large', data: none });
  expect(store.get('t1')).toMatchObject({ queue_position_text: '', eta_seconds: null });
});
