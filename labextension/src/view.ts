/** What of the panel is on the screen. It outlives the panel's elements, and a part of it the page. */

import { type ISignal, Signal } from '@lumino/signaling';

export const TABS = ['queue', 'gallery', 'workers'] as const;
export type Tab = (typeof TABS)[number];

export class View {
  get changed(): ISignal<this, void> {
    return this.stateChanged;
  }

  get tab(): Tab {
    return this.openTab;
  }

  /** The task whose details cover the tab, or null. */
  get detail(): string | null {
    return this.openDetail;
  }

  /** Whether the form for a new image is open. */
  get form(): boolean {
    return this.openForm;
  }

  get groups(): ReadonlySet<string> {
    return this.openGroups;
  }

  show(tab: Tab): void {
    this.openTab = tab;
    this.openDetail = null;
    this.stateChanged.emit();
  }

  showDetail(id: string | null): void {
    this.openDetail = id;
    this.stateChanged.emit();
  }

  showForm(open: boolean): void {
    this.openTab = open ? 'queue' : this.openTab;
    this.openDetail = null;
    this.openForm = open;
    this.stateChanged.emit();
  }

  fold(group: string): void {
    const groups = new Set(this.openGroups);
    if (!groups.delete(group)) {
      groups.add(group);
    }
    this.openGroups = groups;
    this.stateChanged.emit();
  }

  /** What is kept from one page to the next. */
  save(): { tab: Tab; detail: string | null } {
    return { tab: this.openTab, detail: this.openDetail };
  }

  /** Take what `save` gave once; anything else changes nothing. */
  restore(saved: unknown): void {
    const { tab, detail } = (saved ?? {}) as { tab?: unknown; detail?: unknown };
    if (TABS.some(known => known === tab)) {
      this.openTab = tab as Tab;
      this.openDetail = typeof detail === 'string' ? detail : null;
      this.stateChanged.emit();
    }
  }

  dispose(): void {
    Signal.clearData(this);
  }

  private readonly stateChanged = new Signal<this, void>(this);
  private openTab: Tab = 'queue';
  private openDetail: string | null = null;
  private openForm = false;
  private openGroups: ReadonlySet<string> = new Set();
}
