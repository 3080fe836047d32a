/**
 * The state behind the panel and the status bar: this user's tasks, kept fresh by the websocket, or by asking
 * where there is none.
 *
 * A private server ends when nobody uses it, and every question but `presence` is use. So nothing else is asked
 * until somebody looks at the panel, or a task is under way.
 */

import { Poll, Throttler } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import { Pictures } from './pictures';
import { TaskStore } from './store';
import { EventStream } from './stream';
import {
  ApiError,
  asApiError,
  type IApi,
  isFinished,
  type ITask,
  type ITaskPage,
  type TaskEvent,
  type Wish
} from './types';

const PRESENCE_MS = 15_000;
const CONNECTED_MS = 60_000; // the socket tells; this only mends what it might have lost
const POSITIONS_MS = 5000; // places in the queue move without an event
const BUSY_MS = 1000; // a bar that moves once a second looks alive
const IDLE_MS = 5000;
const BACK_OFF_MS = 60_000; // the longest pause between two tries while the server is away
const REPAINT_MS = 80; // events come faster than anyone can read
const PAGE = 100;

export class TaskModel {
  readonly pictures: Pictures;

  constructor(private readonly api: IApi) {
    this.pictures = new Pictures(api, () => {
      this.paint();
    });
    this.stream = new EventStream(
      () => this.api.socket(),
      () => this.store.positions()
    );
    this.stream.event.connect((_, event) => {
      this.onEvent(event);
    }, this);
    this.stream.connectedChanged.connect(() => {
      this.onConnection();
    }, this);
    this.poll = new Poll({
      name: '@gpugen/lab:tasks',
      factory: () => this.tick(),
      frequency: { interval: PRESENCE_MS, backoff: true, max: BACK_OFF_MS },
      standby: 'when-hidden'
    });
  }

  /** Newest first; null until the first answer. */
  get tasks(): readonly ITask[] | null {
    return this.listed ? this.store.tasks : null;
  }

  /** Why the list is not fresh, or null. */
  get problem(): ApiError | null {
    return this.trouble;
  }

  get changed(): ISignal<this, void> {
    return this.stateChanged;
  }

  /** A task has reached its end while we watched. */
  get finished(): ISignal<this, ITask> {
    return this.taskFinished;
  }

  get(id: string): ITask | null {
    return this.store.get(id) ?? null;
  }

  preview(task: ITask): string | null {
    return this.store.preview(task.id);
  }

  get running(): number {
    return this.store.tasks.filter(task => task.state === 'running').length;
  }

  /** Somebody looks, or no longer. */
  setVisible(visible: boolean): void {
    this.visible = visible;
    void this.poll.refresh();
  }

  /** Fetch older tasks, if there are any; what is left of a group, too, or its row would count wrong. */
  async more(): Promise<void> {
    if (this.paging) {
      return;
    }
    this.paging = true;
    try {
      for (let split = true; split && this.cursor !== null;) {
        const since = this.store.now;
        const page = await this.api.tasks({ limit: PAGE, cursor: this.cursor });
        this.store.merge(page.tasks, since);
        this.cursor = page.next_cursor;
        split = endsInGroup(page);
        this.paint();
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.paging = false;
    }
  }

  /** Do something to tasks and look again; what goes wrong is shown. True: it went well. */
  async act(what: (api: IApi) => Promise<unknown>): Promise<boolean> {
    try {
      await what(this.api);
    } catch (error) {
      this.fail(error);
      return false;
    }
    await this.poll.refresh();
    return true;
  }

  async remove(id: string): Promise<boolean> {
    const done = await this.act(api => api.remove(id));
    if (done) {
      this.store.remove(id);
      this.paint();
    }
    return done;
  }

  /** Ask for an image; rejects with what the server says of the wish. */
  async submit(wish: Wish): Promise<void> {
    const task = await this.api.submit(wish);
    this.store.merge([task], this.store.now);
    this.paint();
    void this.poll.refresh();
  }

  /** The same wish with a seed of the server's choice. */
  async reseed(task: ITask): Promise<void> {
    const given = Object.entries(task.request).filter(([name, value]) => name !== 'seed' && value !== null);
    await this.act(api => api.submit(Object.fromEntries(given) as Wish));
  }

  /** Fetch a task that is further down than what was listed. */
  async need(id: string): Promise<void> {
    await this.fetch(id);
  }

  /** What the worker said about a task. */
  async log(id: string): Promise<string[]> {
    try {
      return (await this.api.log(id)).map(line => `${line.at.slice(11, 19)} ${line.message}`);
    } catch (error) {
      this.fail(error);
      return [];
    }
  }

  dismiss(): void {
    this.trouble = null;
    this.paint();
  }

  dispose(): void {
    this.poll.dispose();
    this.stream.dispose();
    this.pictures.dispose();
    this.painter.dispose();
    Signal.clearData(this);
  }

  /** Rejects when the server does not answer, so that the poll backs off. */
  private async tick(): Promise<void> {
    try {
      if (!this.awake && !(await this.somethingGoesOn())) {
        this.stream.stop();
        return;
      }
      await this.list();
      if (this.awake) {
        this.stream.start();
      }
    } catch (error) {
      this.trouble = asApiError(error);
      throw error;
    } finally {
      this.setPace();
      this.paint();
    }
  }

  private get awake(): boolean {
    return this.visible || this.unfinished || this.shared;
  }

  private get unfinished(): boolean {
    return this.store.tasks.some(task => !isFinished(task));
  }

  private async somethingGoesOn(): Promise<boolean> {
    const presence = await this.api.presence();
    this.trouble = null;
    this.shared = presence.running && !presence.private;
    return presence.running && (this.shared || presence.unfinished > 0);
  }

  private async list(): Promise<void> {
    const since = this.store.now;
    const page = await this.api.tasks({ limit: PAGE });
    const open = this.store.tasks.filter(task => !isFinished(task));
    this.store.prune(page, since);
    this.store.merge(page.tasks, since);
    if (!this.listed) {
      this.cursor = page.next_cursor;
      if (endsInGroup(page)) {
        void this.more();
      }
    }
    this.listed = true;
    this.trouble = null;
    this.tell(open);
  }

  /** Those that were `open` and are not any more have finished. */
  private tell(open: readonly ITask[]): void {
    for (const { id } of open) {
      const task = this.store.get(id);
      if (task && isFinished(task)) {
        this.taskFinished.emit(task);
      }
    }
  }

  private onEvent(event: TaskEvent): void {
    if (this.store.apply(event)) {
      void this.fetch(event.task);
    }
    this.paint();
  }

  /** The task in full: an event says less. */
  private async fetch(id: string): Promise<void> {
    const since = this.store.now;
    try {
      const task = await this.api.task(id);
      this.store.merge([task], since);
      if (isFinished(task)) {
        this.taskFinished.emit(task);
      }
      this.paint();
    } catch {
      // It was removed meanwhile, or the next listing brings it.
    }
  }

  /** Events may have been lost before it was there, and are from now on while it is not: ask. */
  private onConnection(): void {
    this.setPace();
    void this.poll.refresh();
  }

  private setPace(): void {
    const interval = this.pace();
    if (this.poll.frequency.interval !== interval) {
      this.poll.frequency = { ...this.poll.frequency, interval };
    }
  }

  private pace(): number {
    if (!this.awake) {
      return PRESENCE_MS;
    }
    if (!this.stream.connected) {
      return this.unfinished ? BUSY_MS : IDLE_MS;
    }
    return this.store.tasks.some(task => task.state === 'queued') ? POSITIONS_MS : CONNECTED_MS;
  }

  private fail(error: unknown): void {
    this.trouble = asApiError(error);
    this.paint();
  }

  private paint(): void {
    void this.painter.invoke();
  }

  private readonly poll: Poll;
  private readonly stream: EventStream;
  private readonly store = new TaskStore();
  private readonly stateChanged = new Signal<this, void>(this);
  private readonly taskFinished = new Signal<this, ITask>(this);
  private readonly painter = new Throttler(() => {
    this.stateChanged.emit();
  }, REPAINT_MS);
  private listed = false;
  private cursor: string | null = null;
  private paging = false;
  private trouble: ApiError | null = null;
  private visible = false;
  private shared = false;
}

function endsInGroup({ tasks }: ITaskPage): boolean {
  return (tasks.at(-1)?.group ?? null) !== null;
}
