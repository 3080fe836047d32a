import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { Pictures } from '../pictures';
import { FakeApi, task } from './tasks';

const image = { index: 0, seed: 7, sha256: 'ab' };
const finished = task({ state: 'succeeded', images: [image] });

let api: FakeApi;
let pictures: Pictures;
let revoked: string[];

beforeEach(() => {
  api = new FakeApi();
  pictures = new Pictures(api, () => undefined);
  revoked = [];
  vi.spyOn(URL, 'revokeObjectURL').mockImplementation(url => revoked.push(url));
});

afterEach(() => {
  vi.restoreAllMocks();
});

test('a picture is fetched once, when it is first asked for', async () => {
  expect(pictures.get(finished, image, 128)).toBeNull();
  expect(pictures.get(finished, image, 128)).toBeNull();

  await vi.waitFor(() => {
    expect(pictures.get(finished, image, 128)).toMatch(/^blob:/);
  });
  expect(api.calls).toEqual(['image t1/0/128']);
});

test('those longest unseen are let go of, and all at the end', async () => {
  const many = Array.from({ length: 401 }, (_, index) => ({ ...image, index }));
  for (const one of many) {
    pictures.get(finished, one, 128);
  }

  await vi.waitFor(() => {
    expect(revoked).toHaveLength(1);
  });
  pictures.dispose();
  expect(revoked).toHaveLength(401);
});
