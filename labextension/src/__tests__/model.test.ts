import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { TaskModel } from '../model';
import { ApiError, type ITask } from '../types';
import { FakeApi, request, task } from './tasks';

let api: FakeApi;
let model: TaskModel;

beforeEach(() => {
  vi.stubGlobal('document', { hidden: false, addEventListener: vi.fn(), removeEventListener: vi.fn() });
  api = new FakeApi();
  model = new TaskModel(api);
});

afterEach(() => {
  model.dispose();
  vi.unstubAllGlobals();
});

async function look(): Promise<void> {
  model.setVisible(true);
  await vi.waitFor(() => {
    expect(model.tasks ?? model.problem).not.toBeNull();
  });
}

test('until somebody looks it only asks whether a server is there', async () => {
  await vi.waitFor(() => {
    expect(api.calls).toContain('presence');
  });

  expect(api.calls).not.toContain('tasks');
  expect(api.sockets).toHaveLength(0);
});

test('a private server at work is listened to, unseen as the panel may be', async () => {
  api.seen = { private: true, running: true, unfinished: 1 };
  api.list = [task()];

  await vi.waitFor(() => {
    expect(api.sockets).toHaveLength(1);
  });
  expect(model.running).toBe(1);
});

test('it knows the tasks once it is visible, by one socket', async () => {
  api.list = [task()];

  await look();

  expect(model.tasks).toEqual([task()]);
  expect(model.problem).toBeNull();
  await vi.waitFor(() => {
    expect(api.sockets).toHaveLength(1);
  });
});

test('a server that is away is a problem that names what to do', async () => {
  api.problem = new ApiError('The server is away.', 'Start it.');

  await look();

  expect(model.problem).toMatchObject({ message: 'The server is away.', hint: 'Start it.' });
});

test('what the socket tells shows, and an end is told once', async () => {
  api.list = [task()];
  await look();
  await vi.waitFor(() => {
    expect(api.sockets).toHaveLength(1);
  });
  const ended: ITask[] = [];
  model.finished.connect((_, finished) => ended.push(finished));
  api.sockets[0]?.open();

  api.list = [task({ state: 'succeeded', progress: null })];
  api.sockets[0]?.tell({ type: 'state', task: 't1', seq: 5, state: 'succeeded', error: null });

  await vi.waitFor(() => {
    expect(ended).toEqual(api.list);
  });
  expect(model.get('t1')?.state).toBe('succeeded');
});

test('cancel asks the server, then looks again', async () => {
  api.list = [task()];
  await look();

  api.list = [task({ phase: 'canceling' })];
  await model.act(server => server.cancel('t1'));

  expect(api.calls).toContain('cancel t1');
  await vi.waitFor(() => {
    expect(model.tasks?.[0]?.phase).toBe('canceling');
  });
});

test('a refused action is a problem that can be dismissed', async () => {
  await look();
  const done = await model.act(() => Promise.reject(new ApiError('No.')));

  expect(done).toBe(false);
  expect(model.problem?.message).toBe('No.');
  model.dismiss();
  expect(model.problem).toBeNull();
});

test('older tasks are fetched from where the list ends', async () => {
  api.list = [task({ id: 'b' })];
  api.next = '17';
  await look();
  api.list = [task({ id: 'a' })];
  api.next = null;

  await model.more();

  expect(api.queries.at(-1)?.cursor).toBe('17');
  expect(model.tasks?.map(({ id }) => id)).toEqual(['b', 'a']);
});

test('a group that goes on after a page is fetched whole, and no more than that', async () => {
  const member = (id: string): ITask => task({ id, group: 'g', state: 'succeeded' });
  api.list = [member('f'), member('e')];
  api.next = 'after e';
  api.pages.set('after e', { tasks: [member('d')], next_cursor: 'after d' });
  api.pages.set('after d', { tasks: [member('c'), task({ id: 'b' })], next_cursor: 'after b' });

  await look();
  await vi.waitFor(() => {
    expect(model.tasks).toHaveLength(5);
  });

  expect(api.queries.map(({ cursor }) => cursor)).toEqual([undefined, 'after e', 'after d']);
});

test('another seed is the same request without one', async () => {
  await model.reseed(task());

  const absent = ['seed', 'init_image', 'mask_image', 'strength'];
  const same = Object.entries(request).filter(([name]) => !absent.includes(name));
  expect(api.wishes).toEqual([Object.fromEntries(same)]);
});

test('a task that was removed leaves the list', async () => {
  api.list = [task({ state: 'succeeded' })];
  await look();
  api.list = [];

  expect(await model.remove('t1')).toBe(true);

  expect(model.tasks).toEqual([]);
});

test('the log is what the worker said, and when', async () => {
  expect(await model.log('t1')).toEqual(['12:34:56 hello']);
});
