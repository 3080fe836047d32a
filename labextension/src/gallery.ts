/** The images there are, across notebooks: searched by the server, page by page. */

import { Debouncer } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import { type ApiError, asApiError, type IApi, type IImage, type ITask } from './types';

const PAGE = 60;
const TYPING_MS = 250;
const WITH_IMAGES = 'succeeded,canceled,failed'; // what was stopped half way may have some

export interface IPicture {
  task: ITask;
  image: IImage;
}

export class GalleryModel {
  constructor(private readonly api: IApi) {}

  /** Newest first; null until the first answer. */
  get pictures(): readonly IPicture[] | null {
    return this.found;
  }

  get problem(): ApiError | null {
    return this.trouble;
  }

  /** The words to find in prompts, and the model; empty: any. */
  get search(): { q: string; model: string } {
    return { q: this.q, model: this.model };
  }

  get changed(): ISignal<this, void> {
    return this.stateChanged;
  }

  /** A task of those found. */
  task(id: string): ITask | null {
    return this.found?.find(picture => picture.task.id === id)?.task ?? null;
  }

  /** Look for other words or another model; waits until the typing rests. */
  find(q: string, model: string): void {
    this.q = q;
    this.model = model;
    this.stateChanged.emit();
    void this.typing.invoke();
  }

  /** Begin anew at the newest. */
  async load(): Promise<void> {
    this.asked += 1;
    this.cursor = undefined;
    await this.fetch([]);
  }

  /** Fetch older ones, if there are any. */
  async more(): Promise<void> {
    if (this.found !== null && this.cursor !== undefined && !this.loading) {
      await this.fetch(this.found);
    }
  }

  /** A task has finished. */
  add(task: ITask): void {
    const fits =
      (!this.model || task.request.model === this.model) &&
      task.request.prompt.toLowerCase().includes(this.q.toLowerCase());
    if (this.found && fits) {
      this.found = [...flatten([task]), ...this.found.filter(picture => picture.task.id !== task.id)];
      this.stateChanged.emit();
    }
  }

  /** A task was removed. */
  drop(id: string): void {
    this.found = this.found?.filter(picture => picture.task.id !== id) ?? null;
    this.stateChanged.emit();
  }

  dispose(): void {
    this.typing.dispose();
    Signal.clearData(this);
  }

  private async fetch(before: readonly IPicture[]): Promise<void> {
    const asked = this.asked;
    this.loading = true;
    try {
      await this.fetchPage(before, asked);
    } catch (error) {
      this.trouble = asApiError(error);
    } finally {
      this.loading = false;
      this.stateChanged.emit();
    }
  }

  private async fetchPage(before: readonly IPicture[], asked: number): Promise<void> {
    const { q, model, cursor } = this;
    const query = { state: WITH_IMAGES, limit: PAGE, q, model, ...(cursor === undefined ? {} : { cursor }) };
    const page = await this.api.tasks(query);
    if (asked === this.asked) {
      this.found = [...before, ...flatten(page.tasks)];
      this.cursor = page.next_cursor ?? undefined;
      this.trouble = null;
    }
  }

  private readonly stateChanged = new Signal<this, void>(this);
  private readonly typing = new Debouncer(() => this.load(), TYPING_MS);
  private found: readonly IPicture[] | null = null;
  private trouble: ApiError | null = null;
  private q = '';
  private model = '';
  private cursor: string | undefined;
  private loading = false;
  private asked = 0; // an answer to an older question is dropped
}

function flatten(tasks: readonly ITask[]): IPicture[] {
  return tasks.flatMap(task => task.images.map(image => ({ task, image })));
}
