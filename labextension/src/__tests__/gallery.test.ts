import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { GalleryModel } from '../gallery';
import { ApiError } from '../types';
import { FakeApi, task } from './tasks';

const image = { index: 0, seed: 7, sha256: 'ab' };
const fox = task({ id: 'b', state: 'succeeded', images: [image, { ...image, index: 1 }] });

let api: FakeApi;
let gallery: GalleryModel;

beforeEach(() => {
  api = new FakeApi();
  gallery = new GalleryModel(api);
  api.list = [fox];
});

afterEach(() => {
  gallery.dispose();
});

function shown(): string[] {
  return (gallery.pictures ?? []).map(picture => `${picture.task.id}/${picture.image.index}`);
}

test('every image is a picture of its own', async () => {
  await gallery.load();

  expect(shown()).toEqual(['b/0', 'b/1']);
});

test('words and model are looked for by the server', async () => {
  gallery.find('fox', 'emoji');

  await vi.waitFor(() => {
    expect(api.queries).toHaveLength(1);
  });
  expect(api.queries[0]).toMatchObject({ q: 'fox', model: 'emoji' });
});

test('older pages follow, and none after the last', async () => {
  api.next = '5';
  await gallery.load();
  api.list = [{ ...fox, id: 'a' }];
  api.next = null;
  await gallery.more();
  await gallery.more();

  expect(shown()).toEqual(['b/0', 'b/1', 'a/0', 'a/1']);
  expect(api.queries).toHaveLength(2);
});

test('a task that finishes comes first, once, if it is what was looked for', async () => {
  await gallery.load();
  gallery.add({ ...fox, id: 'c' });
  gallery.add({ ...fox, id: 'c' });
  gallery.find('cat', '');
  gallery.add({ ...fox, id: 'd' });

  expect(shown()).toEqual(['c/0', 'c/1', 'b/0', 'b/1']);
  gallery.drop('c');
  expect(shown()).toEqual(['b/0', 'b/1']);
});

test('a server that is away is a problem', async () => {
  api.problem = new ApiError('Away.');
  await gallery.load();

  expect(gallery.problem?.message).toBe('Away.');
});
