import { expect, test } from 'vitest';

import { drawCell, showCell } from '../cell';
import { request, task } from './tasks';

function drawn(changes: Partial<typeof request>): string {
  return drawCell(task({ request: { ...request, ...changes } }));
}

test('the cell holds all that it takes to draw the same', () => {
  expect(drawn({ n: 2 })).toBe(
    '%%gpugen -m emoji -n 2 -s 7 --size 128x128 --steps 20 --guidance 1.5 --scheduler dpm++\na red fox'
  );
});

test('quotes and line breaks of a negative prompt do not break the line', () => {
  expect(drawn({ negative_prompt: "it's\nblurry" })).toContain(`--negative 'it'"'"'s blurry'\n`);
});

test('a prompt that the magic would fill in, or cut in two, is told to be taken as it is', () => {
  expect(drawn({ prompt: 'a {{name}}' })).toMatch(/--raw\na/);
  expect(drawn({ prompt: 'a\n---\nb' })).toMatch(/--raw\na/);
  expect(drawn({ prompt: 'a --- b {x}' })).not.toContain('--raw');
});

test('what started from an image is looked up by the magic', () => {
  expect(drawn({ init_image: 'i1' })).toBe('%gpugen replay t1');
});

test('the images are shown by the number of their task', () => {
  expect(showCell(task())).toBe('%gpugen show t1');
});
