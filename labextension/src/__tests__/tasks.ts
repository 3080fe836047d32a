/** Tasks to test with, and a server in memory. */

import {
  ApiError,
  type IApi,
  type ICost,
  type ILogLine,
  type IModels,
  type IPresence,
  type ITask,
  type ITaskPage,
  type ITaskQuery,
  type IWorkers,
  type Wish
} from '../types';

export const request: ITask['request'] = {
  prompt: 'a red fox',
  negative_prompt: '',
  model: 'emoji',
  width: 128,
  height: 128,
  steps: 20,
  guidance: 1.5,
  seed: 7,
  n: 1,
  scheduler: 'dpm++',
  init_image: null,
  mask_image: null,
  strength: null
};

export function task(changes: Partial<ITask> = {}): ITask {
  return {
    id: 't1',
    state: 'running',
    phase: 'drawing',
    phase_text: '',
    request,
    group: null,
    queue_position: null,
    queue_position_text: '',
    eta_seconds: null,
    progress: { image: 0, step: 5, steps: 20, seconds_per_step: null },
    images: [],
    error: null,
    created_at: '2026-01-01T00:00:00Z',
    finished_at: null,
    timings: { total: null },
    worker: null,
    ...changes
  };
}

/** What a test needs of a websocket. */
export class FakeSocket {
  readyState = 0;
  sent: string[] = [];
  onopen: () => void = () => undefined;
  onmessage: (message: { data: string }) => void = () => undefined;
  onclose: () => void = () => undefined;

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.readyState = 3;
    this.onclose();
  }

  open(): void {
    this.readyState = 1;
    this.onopen();
  }

  tell(event: object): void {
    this.onmessage({ data: JSON.stringify(event) });
  }
}

export class FakeApi implements IApi {
  list: ITask[] = [];
  next: string | null = null;
  /** What follows after a cursor; else it is `list` again. */
  pages = new Map<string, ITaskPage>();
  problem: ApiError | null = null;
  seen: IPresence = { private: true, running: false, unfinished: 0 };
  calls: string[] = [];
  queries: ITaskQuery[] = [];
  wishes: Wish[] = [];
  sockets: FakeSocket[] = [];

  presence(): Promise<IPresence> {
    return this.answer('presence', this.seen);
  }

  tasks(query: ITaskQuery): Promise<ITaskPage> {
    this.queries.push(query);
    const page = this.pages.get(query.cursor ?? '');
    return this.answer('tasks', page ?? { tasks: this.list, next_cursor: this.next });
  }

  task(id: string): Promise<ITask> {
    const found = this.list.find(known => known.id === id);
    return found ? this.answer(`task ${id}`, found) : Promise.reject(new ApiError('It is not there.'));
  }

  submit(wish: Wish): Promise<ITask> {
    this.wishes.push(wish);
    return this.answer('submit', task({ id: 'new', state: 'queued' }));
  }

  cancel(id: string): Promise<void> {
    return this.answer(`cancel ${id}`, undefined);
  }

  cancelGroup(id: string): Promise<void> {
    return this.answer(`cancel group ${id}`, undefined);
  }

  retry(id: string): Promise<ITask> {
    return this.answer(`retry ${id}`, task({ id: 'again' }));
  }

  remove(id: string): Promise<void> {
    return this.answer(`remove ${id}`, undefined);
  }

  log(id: string): Promise<ILogLine[]> {
    const line: ILogLine = { type: 'log', task: id, seq: 1, at: '', level: 'info', message: 'hello' };
    return this.answer(`log ${id}`, [{ ...line, at: '2026-01-01T12:34:56Z' }]);
  }

  image(id: string, index: number, pixels?: number): Promise<Blob> {
    return this.answer(`image ${id}/${index}/${pixels ?? 'whole'}`, new Blob(['picture']));
  }

  models(): Promise<IModels> {
    return this.answer('models', { models: [], default: 'emoji' });
  }

  workers(): Promise<IWorkers> {
    return this.answer('workers', { workers: [], machines: [], autoscaler: 'none', autoscaler_text: '' });
  }

  cost(): Promise<ICost> {
    return this.answer('cost', { today: 1.5, per_task: null, limit_per_day: null });
  }

  socket(): WebSocket {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    return socket as unknown as WebSocket;
  }

  private answer<T>(call: string, value: T): Promise<T> {
    this.calls.push(call);
    return this.problem ? Promise.reject(this.problem) : Promise.resolve(value);
  }
}
