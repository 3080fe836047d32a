/** Words and times. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { isFinished, type IProgress, type ITask } from './types';

/** How much of a task is drawn, 0 to 1; null while that cannot be known. */
export function fraction(task: ITask): number | null {
  if (task.state !== 'running' || !task.progress) {
    return null;
  }
  const { image, step, steps } = task.progress;
  return Math.min(1, (image + step / steps) / Math.max(1, task.request.n));
}

/** Seconds in words as short as a clock's: `1.6 s`, `2:05`. */
export function duration(seconds: number): string {
  if (seconds < 60) {
    return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  }
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** What goes on in an unfinished task, or how a finished one ended. */
export function statusText(task: ITask, trans: TranslationBundle): string {
  switch (task.state) {
    case 'queued':
      return queueText(task, trans);
    case 'running':
      return runningText(task, trans);
    case 'succeeded':
      return task.timings.total === null
        ? trans.__('done')
        : trans.__('done in %1', duration(task.timings.total));
    case 'failed':
      return task.error?.message ?? trans.__('failed');
    case 'canceled':
      return trans.__('canceled');
  }
}

/** Place in line, why it waits, and when it will be done, as far as each is known. */
function queueText(task: ITask, trans: TranslationBundle): string {
  const position = task.queue_position_text || (task.queue_position ?? '').toString();
  const place = position ? trans.__('number %1 in line', position) : '';
  const parts = [place, task.phase_text, etaText(task, trans)].filter(part => part);
  return parts.join(' · ') || trans.__('waiting');
}

/** When it will be done, or nothing: an honest server does not always know. */
export function etaText(task: ITask, trans: TranslationBundle): string {
  return task.eta_seconds === null ? '' : trans.__('about %1 left', duration(task.eta_seconds));
}

function runningText(task: ITask, trans: TranslationBundle): string {
  if (task.phase === 'canceling') {
    return trans.__('stopping');
  }
  if (task.phase === 'drawing' && task.progress) {
    return drawingText(task, task.progress, trans);
  }
  return task.phase_text || task.phase;
}

function drawingText(task: ITask, progress: IProgress, trans: TranslationBundle): string {
  const { image, step, steps, seconds_per_step } = progress;
  const { n } = task.request;
  const left = (n - image) * steps - step;
  return [
    n > 1 ? trans.__('image %1 of %2', image + 1, n) : '',
    trans.__('step %1 of %2', step, steps),
    seconds_per_step === null ? '' : trans.__('%1 left', duration(left * seconds_per_step))
  ]
    .filter(part => part)
    .join(' · ');
}

/** The settings of a task in one line. */
export function recipeText(task: ITask): string {
  const { model, width, height, steps, guidance, seed, scheduler } = task.request;
  return `${model} · ${width}×${height} · ${steps} steps · guidance ${guidance} · ${scheduler} · seed ${seed}`;
}

/** `1 running · 2 waiting`, or that nothing is. */
export function summary(tasks: readonly ITask[], trans: TranslationBundle): string {
  const running = tasks.filter(task => task.state === 'running').length;
  const waiting = tasks.filter(task => !isFinished(task)).length - running;
  const parts = [
    running ? trans.__('%1 running', running) : '',
    waiting ? trans.__('%1 waiting', waiting) : ''
  ].filter(part => part);
  return parts.join(' · ') || trans.__('nothing is running');
}
