/** Small pictures, fetched when first asked for, a few at a time; the ones longest unseen are let go of. */

import type { IApi, IImage, ITask } from './types';

const KEPT = 400;
const AT_ONCE = 6; // what a browser would open to one server anyway
const TRY_AGAIN_MS = 10_000;

export class Pictures {
  /** `onLoad` is called whenever a picture has arrived. */
  constructor(
    private readonly api: IApi,
    private readonly onLoad: () => void
  ) {}

  /** The address of an image of `task`, made small; null until it has arrived. */
  get(task: ITask, image: IImage, pixels: number): string | null {
    const key = `${task.id}/${image.index}/${image.sha256}/${pixels}`;
    const url = this.urls.get(key);
    if (url !== undefined) {
      this.urls.delete(key);
      this.urls.set(key, url); // the last in order is the last seen
      return url;
    }
    if (!this.asked.has(key)) {
      this.asked.add(key);
      this.waiting.push({ key, load: () => this.api.image(task.id, image.index, pixels) });
      this.next();
    }
    return null;
  }

  dispose(): void {
    this.disposed = true;
    this.waiting.length = 0;
    for (const url of this.urls.values()) {
      URL.revokeObjectURL(url);
    }
    this.urls.clear();
  }

  /** The picture asked for last comes first: it is the one on the screen. */
  private next(): void {
    while (this.loading < AT_ONCE) {
      const wanted = this.waiting.pop();
      if (!wanted) {
        return;
      }
      this.loading += 1;
      void this.load(wanted).finally(() => {
        this.loading -= 1;
        this.next();
      });
    }
  }

  private async load({ key, load }: IWanted): Promise<void> {
    try {
      this.store(key, await load());
    } catch {
      setTimeout(() => this.asked.delete(key), TRY_AGAIN_MS);
    }
  }

  private store(key: string, picture: Blob): void {
    if (this.disposed) {
      return;
    }
    this.urls.set(key, URL.createObjectURL(picture));
    for (const old of [...this.urls.keys()].slice(0, Math.max(0, this.urls.size - KEPT))) {
      URL.revokeObjectURL(this.urls.get(old) ?? '');
      this.urls.delete(old);
      this.asked.delete(old);
    }
    this.onLoad();
  }

  private readonly urls = new Map<string, string>();
  private readonly asked = new Set<string>();
  private readonly waiting: IWanted[] = [];
  private loading = 0;
  private disposed = false;
}

interface IWanted {
  key: string;
  load: () => Promise<Blob>;
}
