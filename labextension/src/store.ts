/** The tasks as last heard of, by listing and by event; nothing older ever replaces something newer. */

import {
  isFinished,
  type IImage,
  type IPhaseData,
  type ITask,
  type ITaskPage,
  type TaskEvent
} from './types';

type Numbered = Exclude<TaskEvent, { type: 'progress' | 'preview' | 'gap' | 'snapshot' }>;

export class TaskStore {
  /** Newest first. */
  get tasks(): readonly ITask[] {
    this.sorted ??= [...this.known.values()].sort(newestFirst);
    return this.sorted;
  }

  get(id: string): ITask | undefined {
    return this.known.get(id);
  }

  /** What the image being drawn looks like so far, as an address; null: unknown. */
  preview(id: string): string | null {
    return this.previews.get(id) ?? null;
  }

  /** The number of the last event known, for every task that is not finished. */
  positions(): Record<string, number> {
    const open = this.tasks.filter(task => !isFinished(task));
    return Object.fromEntries(open.map(task => [task.id, this.seqs.get(task.id) ?? 0]));
  }

  /** A moment, to be given to `merge` with what was asked for then. */
  get now(): number {
    return this.clock;
  }

  /** Forget what the newest page, asked for at `since`, should hold and does not: it was removed elsewhere. */
  prune(page: ITaskPage, since: number): void {
    const ids = new Set(page.tasks.map(task => task.id));
    const oldest = page.next_cursor === null ? '' : (page.tasks.at(-1)?.id ?? '');
    for (const { id } of this.tasks) {
      if (id > oldest && !ids.has(id) && (this.touched.get(id) ?? 0) <= since) {
        this.remove(id);
      }
    }
  }

  /** Take a listing asked for at `since`; events that came meanwhile are newer. */
  merge(listed: readonly ITask[], since: number): void {
    for (const task of listed) {
      if ((this.touched.get(task.id) ?? 0) <= since) {
        this.put(task);
      }
    }
  }

  remove(id: string): void {
    this.known.delete(id);
    this.seqs.delete(id);
    this.touched.delete(id);
    this.previews.delete(id);
    this.sorted = null;
  }

  /** Take an event. True: it is about a task that is not known well enough and should be fetched. */
  apply(event: TaskEvent): boolean {
    switch (event.type) {
      case 'snapshot':
        this.seqs.set(event.task, event.seq);
        this.put(event.data);
        this.touch(event.task);
        return false;
      case 'progress':
      case 'preview':
        this.live(event);
        return false;
      case 'gap':
        return true;
      case 'state':
      case 'phase':
      case 'image':
      case 'log':
        return this.numbered(event);
      default:
        return false; // a notice, or what a later server says
    }
  }

  private numbered(event: Numbered): boolean {
    if (event.seq <= (this.seqs.get(event.task) ?? 0)) {
      return false; // contained in what is known: a replay
    }
    this.seqs.set(event.task, event.seq);
    const task = this.known.get(event.task);
    if (task) {
      this.put(changed(task, event));
      this.touch(event.task);
    }
    return !task || event.type === 'state'; // times, worker and position are in the task alone
  }

  private live(event: Extract<TaskEvent, { type: 'progress' | 'preview' }>): void {
    const task = this.known.get(event.task);
    if (task?.state !== 'running') {
      return;
    }
    if (event.type === 'preview') {
      this.previews.set(event.task, `data:${event.mime};base64,${event.data}`);
    } else {
      const { image, step, steps, seconds_per_step } = event;
      this.put({ ...task, progress: { image, step, steps, seconds_per_step } });
    }
    this.touch(event.task);
  }

  private touch(id: string): void {
    this.clock += 1;
    this.touched.set(id, this.clock);
  }

  private put(task: ITask): void {
    this.known.set(task.id, task);
    if (isFinished(task)) {
      this.previews.delete(task.id);
    }
    this.sorted = null;
  }

  private readonly known = new Map<string, ITask>();
  private readonly seqs = new Map<string, number>();
  private readonly touched = new Map<string, number>();
  private readonly previews = new Map<string, string>();
  private sorted: ITask[] | null = null;
  private clock = 0;
}

function changed(task: ITask, event: Numbered): ITask {
  switch (event.type) {
    case 'state':
      return { ...task, state: event.state, error: event.error ?? null, phase_text: '', progress: null };
    case 'phase':
      return { ...task, phase: event.phase, phase_text: event.text, ...place(event.data) };
    case 'image':
      return { ...task, images: withImage(task.images, event) };
    case 'log':
      return task;
  }
}

/** Nothing where the phase says nothing of a place in the queue. */
function place(data: IPhaseData = {}): Partial<ITask> {
  const { position, eta_seconds = null } = data;
  if (position === undefined) {
    return {};
  }
  return { queue_position: position, queue_position_text: `${position ?? ''}`, eta_seconds };
}

function withImage(images: readonly IImage[], { index, seed, sha256 }: IImage): IImage[] {
  const others = images.filter(image => image.index !== index);
  return [...others, { index, seed, sha256 }].sort((a, b) => a.index - b.index);
}

/** Ids begin with the time in milliseconds, so they order tasks of one moment as well. */
function newestFirst(a: ITask, b: ITask): number {
  return a.id < b.id ? 1 : -1;
}
