/** Words and times. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { type ITask, isFinished } from './types';

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

function queueText(task: ITask, trans: TranslationBundle): string {
  if (task.phase_text) {
    return task.phase_text;
  }
  const position = task.queue_position_text || (task.queue_position ?? '').toString();
  return position ? trans.__('waiting, number %1 in line', position) : trans.__('waiting');
}

function runningText(task: ITask, trans: TranslationBundle): string {
  if (task.phase === 'canceling') {
    return trans.__('stopping');
  }
  if (task.phase === 'drawing' && task.progress) {
    return trans.__('step %1 of %2', task.progress.step, task.progress.steps);
  }
  return task.phase_text || task.phase;
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
