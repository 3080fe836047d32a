import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { QueueModel } from '../model';
import { ApiError, type IApi, type ITask } from '../types';
import { task } from './tasks';

const finished = task({ state: 'succeeded', images: [{ index: 0, seed: 7, sha256: 'ab' }] });

/** A server in memory. */
class FakeApi implements IApi {
  list: ITask[] = [];
  problem: Error | null = null;
  fetched: string[] = [];
  canceled: string[] = [];

  tasks(): Promise<ITask[]> {
    return this.problem ? Promise.reject(this.problem) : Promise.resolve(this.list);
  }

  cancel(id: string): Promise<void> {
    this.canceled.push(id);
    return Promise.resolve();
  }

  thumbnail(id: string): Promise<Blob> {
    this.fetched.push(id);
    return Promise.resolve(new Blob(['picture']));
  }
}

let api: FakeApi;
let model: QueueModel;
let revoked: string[];

beforeEach(() => {
  api = new FakeApi();
  model = new QueueModel(api);
  revoked = [];
  vi.spyOn(URL, 'revokeObjectURL').mockImplementation(url => revoked.push(url));
});

afterEach(() => {
  model.dispose();
  vi.restoreAllMocks();
});

async function poll(): Promise<void> {
  model.setVisible(true);
  await vi.waitFor(() => {
    expect(model.tasks ?? model.problem).not.toBeNull();
  });
}

test('it asks nothing until somebody looks', async () => {
  await new Promise(resolve => setTimeout(resolve, 20));

  expect(model.tasks).toBeNull();
});

test('it knows the tasks once it is visible', async () => {
  api.list = [task()];

  await poll();

  expect(model.tasks).toEqual([task()]);
  expect(model.problem).toBeNull();
});

test('a server that is away is a problem that names what to do', async () => {
  api.problem = new ApiError('The server is away.', 'Start it.');

  await poll();

  expect(model.problem).toMatchObject({ message: 'The server is away.', hint: 'Start it.' });
});

test('a picture is fetched once, and let go of when its task has left the list', async () => {
  api.list = [finished];
  await poll();
  await vi.waitFor(() => {
    expect(model.thumbnail(finished)).toMatch(/^blob:/);
  });

  api.list = [];
  await model.cancel('t2');

  await vi.waitFor(() => {
    expect(model.thumbnail(finished)).toBeNull();
  });
  expect(api.fetched).toEqual(['t1']);
  expect(revoked).toHaveLength(1);
});

test('cancel asks the server, then looks again', async () => {
  api.list = [task()];
  await poll();

  api.list = [task({ phase: 'canceling' })];
  await model.cancel('t1');

  expect(api.canceled).toEqual(['t1']);
  await vi.waitFor(() => {
    expect(model.tasks?.[0]?.phase).toBe('canceling');
  });
});
