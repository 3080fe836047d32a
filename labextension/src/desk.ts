/** What the panel does outside of itself: in the notebook, the file browser and the clipboard. */

import type { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { type INotebookTracker, NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import { type ISignal, Signal } from '@lumino/signaling';

import { drawCell, LOAD, showCell } from './cell';
import type { IApi, IImage, ITask } from './types';

const LOADED = /^\s*%(load_ext|reload_ext)\s+gpugen\b/m;

export class Desk {
  constructor(
    private readonly api: IApi,
    private readonly contents: Contents.IManager,
    private readonly tracker: INotebookTracker | null,
    private readonly browser: IDefaultFileBrowser | null
  ) {
    tracker?.currentChanged.connect(() => {
      this.stateChanged.emit();
    });
  }

  /** Emitted when a notebook has come or gone. */
  get changed(): ISignal<this, void> {
    return this.stateChanged;
  }

  /** Whether there is a notebook to insert cells into. */
  get hasNotebook(): boolean {
    return Boolean(this.tracker?.currentWidget);
  }

  /** Insert the cell that draws `task` again. It is not run: that is for the user to do. */
  async insertDraw(task: ITask): Promise<void> {
    await this.insert(drawCell(task));
  }

  /** Insert the cell that shows the images of `task`. */
  async insertShow(task: ITask): Promise<void> {
    await this.insert(showCell(task));
  }

  async copy(text: string): Promise<void> {
    await navigator.clipboard.writeText(text);
  }

  /** Write the image into the file browser's folder, beside whatever is there; gives its path. */
  async save(task: ITask, image: IImage): Promise<string> {
    const picture = await this.api.image(task.id, image.index);
    const path = await this.freePath(`gpugen-${task.request.model}-${image.seed}`);
    const content = await base64(picture);
    await this.contents.save(path, { type: 'file', format: 'base64', content });
    return path;
  }

  dispose(): void {
    Signal.clearData(this);
  }

  private async insert(source: string): Promise<void> {
    const panel = this.tracker?.currentWidget;
    if (!panel) {
      return;
    }
    await panel.revealed;
    const sources = cellSources(panel);
    if (!sources.some(text => LOADED.test(text))) {
      await insertBelow(panel, LOAD);
    }
    await insertBelow(panel, source);
  }

  private async freePath(stem: string): Promise<string> {
    const folder = this.browser?.model.path ?? '';
    const taken = await this.contents.get(folder);
    const names = new Set((taken.content as { name: string }[]).map(entry => entry.name));
    let name = `${stem}.png`;
    for (let count = 2; names.has(name); count += 1) {
      name = `${stem}-${count}.png`;
    }
    return folder ? `${folder}/${name}` : name;
  }

  private readonly stateChanged = new Signal<this, void>(this);
}

function cellSources(panel: NotebookPanel): string[] {
  const cells = panel.content.model?.cells ?? [];
  return [...cells].map(cell => cell.sharedModel.getSource());
}

async function insertBelow(panel: NotebookPanel, source: string): Promise<void> {
  NotebookActions.insertBelow(panel.content);
  const cell = panel.content.activeCell;
  if (cell) {
    await cell.ready;
    cell.model.sharedModel.setSource(source);
  }
}

async function base64(blob: Blob): Promise<string> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 0x8000) {
    parts.push(String.fromCharCode(...bytes.subarray(at, at + 0x8000))); // all at once overflows the stack
  }
  return btoa(parts.join(''));
}
