/** The state of the panel: the newest tasks, kept fresh by a poll that rests while nobody looks. */

import { Poll } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import { Thumbnails } from './thumbnails';
import { ApiError, type IApi, type ITask, isFinished } from './types';

const BUSY_MS = 1000; // a bar that moves once a second looks alive
const IDLE_MS = 5000;
const BACK_OFF_MS = 60_000; // the longest pause between two tries while the server is away

export class QueueModel {
  constructor(private readonly api: IApi) {
    this.thumbnails = new Thumbnails(api, () => {
      this.stateChanged.emit();
    });
    this.poll = new Poll({
      name: '@gpugen/lab:queue',
      factory: () => this.refresh(),
      frequency: { interval: IDLE_MS, backoff: true, max: BACK_OFF_MS },
      standby: () => (this.visible ? 'when-hidden' : true)
    });
  }

  /** Newest first; null until the first answer. */
  get tasks(): readonly ITask[] | null {
    return this.known;
  }

  /** Why the list is not fresh, or null. */
  get problem(): ApiError | null {
    return this.trouble;
  }

  get changed(): ISignal<this, void> {
    return this.stateChanged;
  }

  thumbnail(task: ITask): string | null {
    return this.thumbnails.get(task);
  }

  /** The poll runs only while the panel can be seen. */
  setVisible(visible: boolean): void {
    this.visible = visible;
    if (visible) {
      void this.poll.refresh();
    }
  }

  async cancel(id: string): Promise<void> {
    try {
      await this.api.cancel(id);
    } catch (error) {
      this.trouble = asApiError(error);
      this.stateChanged.emit();
      return;
    }
    await this.poll.refresh();
  }

  dispose(): void {
    this.poll.dispose();
    this.thumbnails.dispose();
    Signal.clearData(this);
  }

  /** Rejects when the server does not answer, so that the poll backs off. */
  private async refresh(): Promise<void> {
    try {
      this.known = await this.api.tasks();
      this.trouble = null;
      this.thumbnails.keep(this.known);
      this.setPace(this.known.every(isFinished) ? IDLE_MS : BUSY_MS);
    } catch (error) {
      this.trouble = asApiError(error);
      throw error;
    } finally {
      this.stateChanged.emit();
    }
  }

  private setPace(interval: number): void {
    if (this.poll.frequency.interval !== interval) {
      this.poll.frequency = { ...this.poll.frequency, interval };
    }
  }

  private readonly poll: Poll;
  private readonly thumbnails: Thumbnails;
  private readonly stateChanged = new Signal<this, void>(this);
  private known: ITask[] | null = null;
  private trouble: ApiError | null = null;
  private visible = false;
}

function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(String(error));
}
