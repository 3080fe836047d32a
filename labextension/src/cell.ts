/** Tasks as code: what a notebook cell must hold to draw or to show one. */

import type { IRecipe, ITask } from './types';

const TEMPLATE = '{{'; // %%gpugen fills {{name}} in, unless it is told not to
const SEPARATOR = /^---\s*$/m; // and takes what follows such a line for the negative prompt

export const LOAD = '%load_ext gpugen';

/** The cell that draws the task again. One that started from an image has no text form: the magic looks it up. */
export function drawCell(task: ITask): string {
  const { request } = task;
  if (request.init_image) {
    return `%gpugen replay ${task.id}`;
  }
  return `%%gpugen ${options(request).join(' ')}\n${request.prompt}`;
}

/** The cell that brings the finished images. */
export function showCell(task: ITask): string {
  return `%gpugen show ${task.id}`;
}

function options(request: IRecipe): string[] {
  const { model, n, seed, width, height, steps, guidance, negative_prompt, scheduler, prompt } = request;
  return [
    `-m ${model}`,
    ...(n > 1 ? [`-n ${n}`] : []),
    `-s ${seed} --size ${width}x${height} --steps ${steps} --guidance ${guidance} --scheduler ${scheduler}`,
    ...(negative_prompt ? [`--negative ${quoted(negative_prompt)}`] : []),
    ...(prompt.includes(TEMPLATE) || SEPARATOR.test(prompt) ? ['--raw'] : [])
  ];
}

/** In quotes as a POSIX shell reads them, and on one line, for the options have only one. */
function quoted(text: string): string {
  return `'${text.replace(/\s*[\r\n]+\s*/g, ' ').replaceAll("'", `'"'"'`)}'`;
}
