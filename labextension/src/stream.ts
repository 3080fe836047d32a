/** The one websocket of this browser tab: opened anew after any loss, each time with a longer pause. */

import { type ISignal, Signal } from '@lumino/signaling';

import type { TaskEvent } from './types';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

export class EventStream {
  /**
   * `open` makes a websocket; `after` says how far each unfinished task is known, so that the server replays
   * what was missed.
   */
  constructor(
    private readonly open: () => WebSocket,
    private readonly after: () => Record<string, number>
  ) {}

  get event(): ISignal<this, TaskEvent> {
    return this.eventArrived;
  }

  /** Whether events arrive; emitted when that changes. */
  get connectedChanged(): ISignal<this, boolean> {
    return this.connection;
  }

  get connected(): boolean {
    return this.socket?.readyState === 1;
  }

  start(): void {
    if (!this.wanted) {
      this.wanted = true;
      this.connect();
    }
  }

  stop(): void {
    this.wanted = false;
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  dispose(): void {
    this.stop();
    Signal.clearData(this);
  }

  private connect(): void {
    const socket = this.open();
    this.socket = socket;
    socket.onopen = () => {
      socket.send(JSON.stringify({ subscribe: { task: '*', after: this.after() } }));
      this.connection.emit(true);
    };
    socket.onmessage = message => {
      this.pause = FIRST_PAUSE_MS; // not at opening: what opens and closes at once must not be asked at once
      this.eventArrived.emit(JSON.parse(String(message.data)) as TaskEvent);
    };
    socket.onclose = () => {
      this.lost(socket);
    };
  }

  private lost(socket: WebSocket): void {
    if (this.socket !== socket) {
      return; // stopped, or replaced
    }
    this.socket = null;
    this.connection.emit(false);
    const pause = this.pause * (0.75 + Math.random() / 2); // or all tabs would come back at the same moment
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
    this.timer = setTimeout(() => {
      this.connect();
    }, pause);
  }

  private readonly eventArrived = new Signal<this, TaskEvent>(this);
  private readonly connection = new Signal<this, boolean>(this);
  private socket: WebSocket | null = null;
  private wanted = false;
  private pause = FIRST_PAUSE_MS;
  private timer: ReturnType<typeof setTimeout> | undefined;
}
