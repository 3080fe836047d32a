/** Small pictures of finished images: fetched once each, and let go of when their task leaves the list. */

import type { IApi, ITask } from './types';

export class Thumbnails {
  /** `onLoad` is called whenever a picture has arrived. */
  constructor(
    private readonly api: IApi,
    private readonly onLoad: () => void
  ) {}

  /** The address of the picture of `task`, or null while there is none. */
  get(task: ITask): string | null {
    return this.urls.get(task.id) ?? null;
  }

  /** Fetch what is missing for `tasks` and revoke the pictures of all others. */
  keep(tasks: readonly ITask[]): void {
    const ids = new Set(tasks.map(task => task.id));
    for (const id of [...this.urls.keys()].filter(id => !ids.has(id))) {
      this.revoke(id);
    }
    for (const task of tasks) {
      void this.load(task);
    }
  }

  dispose(): void {
    this.disposed = true;
    [...this.urls.keys()].forEach(id => {
      this.revoke(id);
    });
  }

  private async load(task: ITask): Promise<void> {
    const first = task.images[0];
    if (!first || this.asked.has(task.id)) {
      return;
    }
    this.asked.add(task.id);
    try {
      this.store(task.id, await this.api.thumbnail(task.id, first.index));
    } catch {
      this.asked.delete(task.id); // the next poll asks again
    }
  }

  private store(id: string, picture: Blob): void {
    if (this.disposed) {
      return;
    }
    this.urls.set(id, URL.createObjectURL(picture));
    this.onLoad();
  }

  private revoke(id: string): void {
    URL.revokeObjectURL(this.urls.get(id) ?? '');
    this.urls.delete(id);
    this.asked.delete(id);
  }

  private readonly urls = new Map<string, string>();
  private readonly asked = new Set<string>();
  private disposed = false;
}
