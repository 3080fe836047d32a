import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { EventStream } from '../stream';
import { FakeSocket } from './tasks';

let sockets: FakeSocket[];
let stream: EventStream;
let after: Record<string, number>;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(0.5); // pauses without jitter
  sockets = [];
  after = { t1: 3 };
  const open = (): WebSocket => {
    const socket = new FakeSocket();
    sockets.push(socket);
    return socket as unknown as WebSocket;
  };
  stream = new EventStream(open, () => after);
});

afterEach(() => {
  stream.dispose();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test('one socket, however often it is started, which subscribes to everything', () => {
  stream.start();
  stream.start();
  sockets[0]?.open();

  expect(sockets).toHaveLength(1);
  expect(JSON.parse(sockets[0]?.sent[0] ?? '')).toEqual({ subscribe: { task: '*', after: { t1: 3 } } });
});

test('after a loss it comes back and says how far it was', () => {
  stream.start();
  sockets[0]?.open();
  after = { t1: 8 };
  sockets[0]?.close();
  expect(stream.connected).toBe(false);

  vi.advanceTimersByTime(500);
  sockets[1]?.open();

  expect(stream.connected).toBe(true);
  expect(JSON.parse(sockets[1]?.sent[0] ?? '')).toEqual({ subscribe: { task: '*', after: { t1: 8 } } });
});

test('each vain try doubles the pause; a message makes it short again', () => {
  stream.start();
  sockets[0]?.close();
  vi.advanceTimersByTime(500);
  sockets[1]?.close();
  vi.advanceTimersByTime(999);
  expect(sockets).toHaveLength(2);
  vi.advanceTimersByTime(1);
  expect(sockets).toHaveLength(3);

  sockets[2]?.open();
  sockets[2]?.tell({ type: 'gap', task: 't1', until: 1 });
  sockets[2]?.close();
  vi.advanceTimersByTime(500);
  expect(sockets).toHaveLength(4);
});

test('once stopped it stays away', () => {
  stream.start();
  sockets[0]?.open();
  stream.stop();
  vi.advanceTimersByTime(60_000);

  expect(sockets).toHaveLength(1);
  expect(sockets[0]?.readyState).toBe(3);
});
